"""Jobs that a limit has no room for."""

import asyncio
from typing import Any

import pytest

from portico.ports.job import Job, JobStatus
from portico.ports.job_limits import ConcurrencyLimit
from portico.ports.job_queue import JobQueueAdapter, QueueCapability
from portico.testing.contracts.queue_suite.foundation import (
    QUEUE,
    OpenLimited,
    QueueSuite,
    claim,
    new_job,
    require,
    stored,
)

_ONE = ConcurrencyLimit(1, queue_name=QUEUE)


class Parking(QueueSuite):
    """They wait as all others do, in their old place, and in nobody's way."""

    @pytest.mark.asyncio
    async def test_a_queue_that_nobody_works_holds_no_other_up(self, limited: OpenLimited) -> None:
        queue = await limited(ConcurrencyLimit(1))
        first = await queue.enqueue(new_job(queue_name="other"))
        second = await queue.enqueue(new_job())
        running = await queue.enqueue(new_job(queue_name="third", priority=9))
        await claim(queue, "third")
        assert await queue.dequeue("other", timeout=0) is None
        assert await queue.dequeue(QUEUE, timeout=0) is None
        if QueueCapability.PAUSE in queue.capabilities:
            await queue.pause_queue("other")
        assert await queue.acknowledge(running.id)
        assert (await claim(queue)).id == second.id
        assert await queue.acknowledge(second.id)
        if QueueCapability.PAUSE in queue.capabilities:
            await queue.resume_queue("other")
        assert (await claim(queue, "other")).id == first.id

    @pytest.mark.asyncio
    async def test_parked_jobs_keep_their_order(self, limited: OpenLimited) -> None:
        queue = await limited(_ONE)
        running = await queue.enqueue(new_job(priority=9))
        await claim(queue)
        jobs = await queue.enqueue_many([new_job(priority=priority) for priority in (0, 5, 0, 5)])
        assert await queue.dequeue(QUEUE, timeout=0) is None
        # who comes later and is more urgent goes first
        jobs.append(await queue.enqueue(new_job(priority=7)))
        order = [4, 1, 3, 0, 2]
        for index in order:
            assert await queue.acknowledge(running.id)
            running = await claim(queue)
            assert running.id == jobs[index].id

    @pytest.mark.asyncio
    async def test_a_parked_job_is_a_waiting_one(self, limited: OpenLimited) -> None:
        queue = await limited(_ONE)
        await queue.enqueue(new_job(priority=9))
        await claim(queue)
        pending = await queue.enqueue(new_job(metadata={"idempotency_key": "k"}))
        scheduled = await queue.enqueue(new_job(scheduled_at=self.soon(-1)))
        assert await queue.dequeue(QUEUE, timeout=0) is None
        assert [await queue.get_job(job.id) for job in (pending, scheduled)] == [pending, scheduled]
        stats = await queue.get_queue_stats(QUEUE)
        assert (stats.pending_count, stats.running_count) == (2, 1)
        if QueueCapability.LIST_JOBS in queue.capabilities:
            assert await queue.list_jobs(status=JobStatus.PENDING) == [pending]
            assert [job.id for job in await queue.list_jobs()][:2] == [scheduled.id, pending.id]
        if QueueCapability.KEYS in queue.capabilities:
            again = await queue.enqueue(new_job(metadata={"idempotency_key": "k"}))
            assert (again.id, again.is_duplicate) == (pending.id, True)

    @pytest.mark.asyncio
    async def test_a_parked_job_that_had_failed_is_still_retrying(self, limited: OpenLimited) -> None:
        queue = await limited(_ONE)
        failed = await queue.enqueue(new_job())
        await claim(queue)
        other = await queue.enqueue(new_job(priority=1))
        assert await queue.reject(failed.id, error_message="failed")
        assert (await claim(queue)).id == other.id
        assert await queue.dequeue(QUEUE, timeout=0) is None
        found = await stored(queue, failed)
        assert (found.status, found.retry_count, found.error_message) == (JobStatus.RETRYING, 1, "failed")

    @pytest.mark.parametrize("is_deleted", [False, True])
    @pytest.mark.asyncio
    async def test_a_parked_job_can_be_called_off(self, limited: OpenLimited, is_deleted: bool) -> None:  # noqa: FBT001 - given by name
        queue = await limited(_ONE)
        running = await queue.enqueue(new_job())
        await claim(queue)
        off, last = await queue.enqueue_many([new_job(), new_job()])
        assert await queue.dequeue(QUEUE, timeout=0) is None
        await _call_off(queue, off, is_deleted=is_deleted)
        assert await queue.acknowledge(running.id)
        assert (await claim(queue)).id == last.id

    @pytest.mark.parametrize("is_deleted", [False, True])
    @pytest.mark.asyncio
    async def test_a_job_that_is_called_off_when_its_slot_is_free_leaves_it_to_the_next(
        self,
        limited: OpenLimited,
        is_deleted: bool,  # noqa: FBT001 - given by name
    ) -> None:
        queue = await limited(_ONE)
        running = await queue.enqueue(new_job())
        await claim(queue)
        off, last = await queue.enqueue_many([new_job(), new_job()])
        assert await queue.dequeue(QUEUE, timeout=0) is None
        assert await queue.acknowledge(running.id)
        await _call_off(queue, off, is_deleted=is_deleted)
        assert (await claim(queue)).id == last.id

    @pytest.mark.asyncio
    async def test_a_parked_job_that_was_called_off_can_be_asked_for_again(self, limited: OpenLimited) -> None:
        queue = await limited(_ONE)
        require(queue, QueueCapability.RETRY_JOB)
        running = await queue.enqueue(new_job())
        await claim(queue)
        parked = await queue.enqueue(new_job())
        assert await queue.dequeue(QUEUE, timeout=0) is None
        assert await queue.cancel_job(parked.id)
        assert await queue.retry_job(parked.id)
        assert await queue.dequeue(QUEUE, timeout=0) is None
        assert await queue.acknowledge(running.id)
        assert (await claim(queue)).id == parked.id

    @pytest.mark.asyncio
    async def test_whatever_may_run_is_found_behind_a_thousand_that_may_not(self, limited: OpenLimited) -> None:
        queue = await limited(ConcurrencyLimit(1, job_type="suite.rare"))
        await queue.enqueue_many([new_job(job_type="suite.rare") for _ in range(1_001)])
        common = await queue.enqueue_many([new_job(priority=-1) for _ in range(3)])
        await claim(queue)
        assert (await claim(queue)).id == common[0].id
        assert _ids(await queue.dequeue_many(QUEUE, 10, timeout=0)) == _ids(common[1:])

    @pytest.mark.asyncio
    async def test_a_waiting_claim_gets_the_job_whose_slot_is_free(self, limited: OpenLimited) -> None:
        queue = await limited(ConcurrencyLimit(1))
        running = await queue.enqueue(new_job(queue_name="other"))
        await claim(queue, "other")
        parked = await queue.enqueue(new_job())
        waiting = asyncio.create_task(queue.dequeue(QUEUE, timeout=30))
        await self.until_waiting(waiting)
        assert await queue.acknowledge(running.id)
        claimed = await asyncio.wait_for(waiting, 5)
        assert claimed is not None
        assert claimed.id == parked.id


async def _call_off(queue: JobQueueAdapter, job: Job, *, is_deleted: bool) -> None:
    if not is_deleted:
        assert await queue.cancel_job(job.id)
        return
    require(queue, QueueCapability.DELETE_JOB)
    assert await queue.delete_job(job.id)


def _ids(jobs: list[Job]) -> list[Any]:
    return [job.id for job in jobs]
