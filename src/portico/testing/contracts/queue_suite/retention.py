"""Forgetting what is over."""

from datetime import timedelta
from typing import Any, ClassVar

import pytest

from portico.ports.job import Job, JobStatus
from portico.ports.job_queue import JobQueueAdapter, QueueCapability
from portico.ports.retention import Retention
from portico.testing.clock import FakeClock
from portico.testing.contracts.queue_suite.foundation import QUEUE, QueueSuite, claim, job_in, new_job, require, stored

SHORT_RETENTION = Retention(completed=timedelta(hours=1), failed=timedelta(hours=2))


class Pruning(QueueSuite):
    """For queues whose `make_queue` passes on this `retention`; they need a `FakeClock`."""

    retention: ClassVar[Retention | None] = None
    """How long finished jobs are kept: `SHORT_RETENTION`, or None where nothing is forgotten."""

    @pytest.fixture
    def forgetful_queue(self, queue: JobQueueAdapter) -> JobQueueAdapter:
        """Return the queue if it forgets, and its time can be moved."""
        if self.retention is not SHORT_RETENTION or not isinstance(self.clock, FakeClock):
            pytest.skip("the queue keeps everything, or its clock cannot be moved")
        return queue

    @pytest.mark.asyncio
    async def test_finished_jobs_are_forgotten_when_their_time_is_over(self, forgetful_queue: JobQueueAdapter) -> None:
        queue = forgetful_queue
        completed = await job_in(queue, JobStatus.COMPLETED)
        failed = [await job_in(queue, status) for status in (JobStatus.FAILED, JobStatus.DEAD_LETTER)]
        waiting = await queue.enqueue(new_job(scheduled_at=self.soon(86_400)))
        await self.pass_time(3_599)
        assert await queue.prune() == 0
        await self.pass_time(2)
        assert await queue.prune() == 1
        assert await _left(queue, [completed, *failed, waiting]) == [*failed, waiting]
        await self.pass_time(3_600)
        assert await queue.prune() == 2
        assert await _left(queue, [*failed, waiting]) == [waiting]
        stats = await queue.get_queue_stats(QUEUE)
        assert (stats.completed_count, stats.failed_count, stats.dead_letter_count) == (0, 0, 0)

    @pytest.mark.asyncio
    async def test_any_number_of_jobs_is_forgotten(self, forgetful_queue: JobQueueAdapter) -> None:
        queue = forgetful_queue
        jobs = await queue.enqueue_many([new_job(payload={"n": number}) for number in range(1_203)])
        while claimed := await queue.dequeue_many(QUEUE, 500, timeout=0):
            await queue.acknowledge_many([job.id for job in claimed])
        await self.pass_time(3_601)
        forgotten = 0
        while count := await queue.prune():
            forgotten += count
        assert forgotten == len(jobs)
        assert await queue.get_job(jobs[-1].id) is None

    @pytest.mark.asyncio
    async def test_a_key_is_held_when_its_job_is_forgotten(self, forgetful_queue: JobQueueAdapter) -> None:
        queue = forgetful_queue
        require(queue, QueueCapability.KEYS)
        first = await queue.enqueue(_keyed())
        await claim(queue)
        await queue.acknowledge(first.id)
        await self.pass_time(3_601)
        assert await queue.prune() == 1
        again = await queue.enqueue(_keyed())
        assert (again.id, again.status, again.is_duplicate) == (first.id, JobStatus.COMPLETED, True)
        await self.pass_time(self.idempotency_seconds)
        anew = await queue.enqueue(_keyed())
        assert not anew.is_duplicate

    @pytest.mark.asyncio
    async def test_the_duplicate_of_a_forgotten_job_is_the_first_one(self, forgetful_queue: JobQueueAdapter) -> None:
        queue = forgetful_queue
        require(queue, QueueCapability.KEYS)
        first = await queue.enqueue(_keyed(priority=3, payload={"n": 1}, max_retries=1))
        await claim(queue)
        await queue.acknowledge(first.id, {"rows": 1})
        ended = await stored(queue, first)
        await self.pass_time(3_601)
        assert await queue.prune() == 1
        again = await queue.enqueue(_keyed(job_type="suite.other", payload={"n": 2}))
        assert (again, again.is_duplicate) == (ended, True)

    @pytest.mark.asyncio
    async def test_a_job_that_is_asked_for_again_is_kept_from_its_last_end_on(
        self, forgetful_queue: JobQueueAdapter
    ) -> None:
        queue = forgetful_queue
        require(queue, QueueCapability.RETRY_JOB)
        job = await job_in(queue, JobStatus.FAILED)
        assert await queue.retry_job(job.id)
        await self.pass_time(7_201)
        assert await queue.prune() == 0
        assert (await claim(queue)).id == job.id
        assert await queue.prune() == 0
        assert await queue.acknowledge(job.id)
        await self.pass_time(3_599)
        assert await queue.prune() == 0
        assert (await stored(queue, job)).status is JobStatus.COMPLETED
        await self.pass_time(2)
        assert await queue.prune() == 1


async def _left(queue: JobQueueAdapter, jobs: list[Job]) -> list[Job]:
    return [job for job in jobs if await queue.get_job(job.id) is not None]


def _keyed(**fields: Any) -> Job:
    return new_job(metadata={"idempotency_key": "k", "other": True}, **fields)
