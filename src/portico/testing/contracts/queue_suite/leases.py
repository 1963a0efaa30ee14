"""Claims that end by themselves, and jobs that are given back."""

import asyncio
import uuid

import pytest

from portico.ports.job import JobStatus
from portico.ports.job_queue import JobQueueAdapter, QueueCapability
from portico.testing.contracts.queue_suite.foundation import (
    QUEUE,
    QueueSuite,
    claim,
    job_in,
    new_job,
    require,
    stored,
)


class Leases(QueueSuite):
    """Leases, crashes, release."""

    async def outlast_a_lease(self, queue: JobQueueAdapter) -> None:
        """Let time pass until a claim that was just made has ended."""
        require(queue, QueueCapability.LEASES)
        assert queue.lease_seconds is not None
        await self.pass_time(queue.lease_seconds + 0.1)

    @pytest.mark.asyncio
    async def test_a_claim_without_heartbeat_ends_and_burns_no_retry(self, queue: JobQueueAdapter) -> None:
        job = await job_in(queue, JobStatus.RUNNING)
        await self.outlast_a_lease(queue)
        assert await queue.requeue_expired() == 1
        found = await stored(queue, job)
        assert (found.status, found.retry_count, found.crash_count) == (JobStatus.RETRYING, 0, 1)
        assert await queue.requeue_expired() == 0
        assert (await claim(queue)).id == job.id

    @pytest.mark.asyncio
    async def test_a_claim_gives_back_what_has_expired(self, queue: JobQueueAdapter) -> None:
        job = await job_in(queue, JobStatus.RUNNING)
        await self.outlast_a_lease(queue)
        assert (await claim(queue)).id == job.id

    @pytest.mark.asyncio
    async def test_a_waiting_claim_gets_a_job_whose_lease_ends(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.LEASES)
        job = await job_in(queue, JobStatus.RUNNING)
        waiting = asyncio.create_task(queue.dequeue(QUEUE, timeout=10_000))
        await self.until_waiting(waiting)
        try:
            await self.outlast_a_lease(queue)
            again = await asyncio.wait_for(waiting, 5)
        finally:
            waiting.cancel()
        assert again is not None
        assert (again.id, again.crash_count) == (job.id, 1)

    @pytest.mark.asyncio
    async def test_a_heartbeat_keeps_every_claim(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.LEASES)
        assert queue.lease_seconds is not None
        await queue.enqueue_many([new_job(), new_job()])
        jobs = await queue.dequeue_many(QUEUE, 2, timeout=0)
        for _ in range(3):
            await self.pass_time(queue.lease_seconds * 0.6)
            assert await queue.heartbeat() == frozenset()
        assert await queue.requeue_expired() == 0
        assert await queue.acknowledge_many([job.id for job in jobs]) == [True, True]
        assert await queue.heartbeat() == frozenset()

    @pytest.mark.asyncio
    async def test_a_lost_lease_is_reported_once_and_its_answers_change_nothing(self, queue: JobQueueAdapter) -> None:
        job = await job_in(queue, JobStatus.RUNNING)
        await self.outlast_a_lease(queue)
        await queue.requeue_expired()
        assert await queue.heartbeat() == {job.id}
        assert await queue.heartbeat() == frozenset()
        before = await stored(queue, job)
        assert not await queue.acknowledge(job.id, {"late": True})
        assert await queue.get_job(job.id) == before

    @pytest.mark.asyncio
    async def test_everybody_who_listens_is_told_of_a_lost_lease(self, queue: JobQueueAdapter) -> None:
        told: list[uuid.UUID] = []
        end_listening = queue.on_lease_lost(told.append)
        queue.on_lease_lost(told.append)
        first = await job_in(queue, JobStatus.RUNNING)
        await self.outlast_a_lease(queue)
        await queue.requeue_expired()
        await queue.heartbeat()
        assert told in ([first.id, first.id], [])
        if not told:
            pytest.skip("the adapter tells nobody")
        end_listening()
        assert (await claim(queue)).id == first.id
        await self.outlast_a_lease(queue)
        assert (await claim(queue)).id == first.id
        assert told == [first.id] * 3

    @pytest.mark.asyncio
    async def test_an_answer_after_the_lease_ended_counts_while_nobody_took_the_job(
        self, queue: JobQueueAdapter
    ) -> None:
        job = await job_in(queue, JobStatus.RUNNING)
        await self.outlast_a_lease(queue)
        assert await queue.acknowledge(job.id)

    @pytest.mark.asyncio
    async def test_a_job_that_keeps_killing_its_worker_ends_in_the_dead_letter(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.LEASES)
        job = await queue.enqueue(new_job(max_retries=0))
        for _ in range(100):
            if await queue.dequeue(QUEUE, timeout=0) is None:
                break
            await self.outlast_a_lease(queue)
        found = await stored(queue, job)
        assert (found.status, found.retry_count) == (JobStatus.DEAD_LETTER, 0)
        assert found.crash_count > 1
        assert found.failed_at is not None

    @pytest.mark.asyncio
    async def test_release_gives_a_job_back_in_its_place_unburnt(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.RELEASE)
        first, second = await queue.enqueue_many([new_job(), new_job()])
        await claim(queue)
        assert await queue.release(first.id)
        found = await stored(queue, first)
        assert (found.status, found.retry_count, found.started_at) == (JobStatus.PENDING, 0, None)
        assert [(await claim(queue)).id, (await claim(queue)).id] == [first.id, second.id]

    @pytest.mark.asyncio
    async def test_a_released_job_waits_until_it_is_available(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.RELEASE)
        job = await job_in(queue, JobStatus.RUNNING)
        assert await queue.release(job.id, available_at=self.soon(0.3))
        assert await queue.dequeue(QUEUE, timeout=0) is None
        await self.pass_time(0.4)
        assert (await claim(queue)).id == job.id

    @pytest.mark.asyncio
    async def test_a_job_that_failed_before_is_released_as_retrying(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.RELEASE)
        job = await job_in(queue, JobStatus.RETRYING)
        await claim(queue)
        assert await queue.release(job.id)
        found = await stored(queue, job)
        assert (found.status, found.retry_count) == (JobStatus.RETRYING, 1)

    @pytest.mark.asyncio
    async def test_a_scheduled_job_is_released_as_scheduled(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.RELEASE)
        job = await queue.enqueue(new_job(scheduled_at=self.soon(-1)))
        await claim(queue)
        assert await queue.release(job.id)
        assert (await stored(queue, job)).status is JobStatus.SCHEDULED

    @pytest.mark.asyncio
    async def test_only_a_running_job_can_be_released(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.RELEASE)
        for status in (JobStatus.PENDING, JobStatus.COMPLETED):
            job = await job_in(queue, status)
            assert not await queue.release(job.id)
            assert await queue.get_job(job.id) == job
        assert not await queue.release(uuid.uuid4())

    @pytest.mark.asyncio
    async def test_close_gives_back_what_is_still_claimed(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.RELEASE)
        job = await job_in(queue, JobStatus.RUNNING)
        await queue.close()
        await queue.initialize()
        again = await claim(queue)
        assert (again.id, again.retry_count, again.crash_count) == (job.id, 0, 0)

    @pytest.mark.parametrize("ticks", [*range(1, 8), 20, 200])
    @pytest.mark.asyncio
    async def test_a_claim_that_meets_close_is_had_or_given_back(self, queue: JobQueueAdapter, ticks: int) -> None:
        require(queue, QueueCapability.RELEASE)
        await queue.enqueue(new_job())
        claiming = asyncio.create_task(queue.dequeue(QUEUE, timeout=5))
        for _ in range(ticks):
            await asyncio.sleep(0)
        await queue.close()
        await asyncio.wait_for(claiming, 5)
        await queue.initialize()
        again = await claim(queue)
        assert (again.retry_count, again.crash_count) == (0, 0)
