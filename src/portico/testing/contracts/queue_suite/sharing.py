"""Two adapters on one store, as two processes have it."""

import asyncio

import pytest

from portico.ports.job import JobStatus
from portico.ports.job_queue import JobQueueAdapter, QueueCapability
from portico.testing.contracts.queue_suite.foundation import (
    QUEUE,
    QueueSuite,
    claim,
    new_job,
    require,
    stored,
)


class Sharing(QueueSuite):
    """What holds between them."""

    @pytest.mark.asyncio
    async def test_what_one_enqueues_the_other_claims(
        self, queue: JobQueueAdapter, second_queue: JobQueueAdapter
    ) -> None:
        job = await queue.enqueue(new_job())
        assert (await claim(second_queue)).id == job.id
        assert (await stored(queue, job)).status is JobStatus.RUNNING

    @pytest.mark.asyncio
    async def test_a_waiting_claim_notices_what_the_other_enqueues(
        self, queue: JobQueueAdapter, second_queue: JobQueueAdapter
    ) -> None:
        waiting = asyncio.create_task(second_queue.dequeue(QUEUE, timeout=30))
        await self.until_waiting(waiting)
        job = await queue.enqueue(new_job())
        claimed = await asyncio.wait_for(waiting, 10)
        assert claimed is not None
        assert claimed.id == job.id

    @pytest.mark.asyncio
    async def test_no_job_goes_to_both(self, queue: JobQueueAdapter, second_queue: JobQueueAdapter) -> None:
        await queue.enqueue_many([new_job() for _ in range(100)])
        batches = await asyncio.gather(*(each.dequeue_many(QUEUE, 7, timeout=0) for each in (queue, second_queue) * 10))
        ids = [job.id for batch in batches for job in batch]
        assert len(ids) == len(set(ids)) == 100

    @pytest.mark.asyncio
    async def test_one_job_for_one_key_among_both(self, queue: JobQueueAdapter, second_queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.KEYS)
        creations = (each.enqueue(new_job(metadata={"idempotency_key": "k"})) for each in (queue, second_queue) * 25)
        answers = await asyncio.gather(*creations)
        assert len({job.id for job in answers}) == 1
        assert sum(not job.is_duplicate for job in answers) == 1

    @pytest.mark.asyncio
    async def test_a_stale_answer_changes_nothing_of_the_next_run(
        self, queue: JobQueueAdapter, second_queue: JobQueueAdapter
    ) -> None:
        require(queue, QueueCapability.LEASES, QueueCapability.RELEASE)
        assert queue.lease_seconds is not None
        job = await queue.enqueue(new_job())
        await claim(queue)
        await self.pass_time(queue.lease_seconds + 0.1)
        running = await claim(second_queue)
        assert running.id == job.id
        assert not await queue.acknowledge(job.id, {"stale": True})
        assert not await queue.reject(job.id)
        assert not await queue.release(job.id)
        assert await queue.get_job(job.id) == running
        assert await second_queue.acknowledge(job.id)

    @pytest.mark.asyncio
    async def test_a_lease_that_moved_on_is_reported(
        self, queue: JobQueueAdapter, second_queue: JobQueueAdapter
    ) -> None:
        require(queue, QueueCapability.LEASES)
        assert queue.lease_seconds is not None
        job = await queue.enqueue(new_job())
        await claim(queue)
        await self.pass_time(queue.lease_seconds + 0.1)
        await claim(second_queue)
        assert await queue.heartbeat() == {job.id}
        assert await second_queue.heartbeat() == frozenset()

    @pytest.mark.asyncio
    async def test_who_is_alive_keeps_its_jobs(self, queue: JobQueueAdapter, second_queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.LEASES)
        await queue.enqueue(new_job())
        await claim(queue)
        assert await second_queue.requeue_expired() == 0
        assert await second_queue.dequeue(QUEUE, timeout=0) is None

    @pytest.mark.asyncio
    async def test_an_operator_in_another_process_may_answer(
        self, queue: JobQueueAdapter, second_queue: JobQueueAdapter
    ) -> None:
        job = await queue.enqueue(new_job())
        await claim(queue)
        assert await second_queue.reject(job.id, requeue=False, error_message="by hand")
        assert not await queue.acknowledge(job.id)
        assert (await stored(queue, job)).error_message == "by hand"
