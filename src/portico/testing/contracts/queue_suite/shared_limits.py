"""Limits among two adapters on one store, as two processes have it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from portico.ports.job import Job
from portico.ports.job_limits import ConcurrencyLimit, JobLimit, RateLimit
from portico.ports.job_queue import JobQueueAdapter, QueueCapability
from portico.testing.contracts.queue_suite.foundation import QUEUE, OpenLimited, QueueSuite, claim, new_job, require

_ONE = ConcurrencyLimit(1, queue_name=QUEUE)


class SharedLimits(QueueSuite):
    """What holds between them."""

    @pytest_asyncio.fixture
    async def shared(self, limited: OpenLimited) -> AsyncIterator[OpenLimited]:
        """Yield a function that opens another queue with limits on the same store each time."""

        async def open_shared(*limits: JobLimit) -> JobQueueAdapter:
            queue = await limited(*limits)
            require(queue, QueueCapability.SHARED)
            return queue

        yield open_shared

    @pytest.mark.asyncio
    async def test_two_hold_a_limit_together(self, shared: OpenLimited) -> None:
        limit = ConcurrencyLimit(2, queue_name=QUEUE)
        one, two = await shared(limit), await shared(limit)
        await one.enqueue_many([new_job() for _ in range(6)])
        batches = await asyncio.gather(*(queue.dequeue_many(QUEUE, 6, timeout=0) for queue in (one, two) * 3))
        assert sum(len(batch) for batch in batches) == 2

    @pytest.mark.asyncio
    async def test_two_hold_a_rate_together(self, shared: OpenLimited) -> None:
        rate = RateLimit(3, per_seconds=3_600, job_type="suite.work")
        one, two = await shared(rate), await shared(rate)
        await one.enqueue_many([new_job() for _ in range(9)])
        batches = await asyncio.gather(*(queue.dequeue_many(QUEUE, 2, timeout=0) for queue in (one, two) * 5))
        assert sum(len(batch) for batch in batches) == 3

    @pytest.mark.asyncio
    async def test_a_slot_that_one_frees_wakes_the_other(self, shared: OpenLimited) -> None:
        one, two = await shared(_ONE), await shared(_ONE)
        running, parked = await one.enqueue_many([new_job(), new_job()])
        await claim(one)
        waiting = asyncio.create_task(two.dequeue(QUEUE, timeout=30))
        await self.until_waiting(waiting)
        assert await one.acknowledge(running.id)
        claimed = await asyncio.wait_for(waiting, 10)
        assert claimed is not None
        assert claimed.id == parked.id

    @pytest.mark.parametrize("knows_limits", [True, False])
    @pytest.mark.asyncio
    async def test_an_operators_answer_frees_the_slot(
        self,
        shared: OpenLimited,
        knows_limits: bool,  # noqa: FBT001 - given by name
    ) -> None:
        queue = await shared(_ONE)
        operator = await shared(*([_ONE] if knows_limits else []))
        running, parked = await queue.enqueue_many([new_job(), new_job()])
        await claim(queue)
        assert await queue.dequeue(QUEUE, timeout=0) is None
        assert await operator.acknowledge(running.id)
        assert (await claim(queue)).id == parked.id
        assert not await queue.acknowledge(running.id)
        assert await queue.dequeue(QUEUE, timeout=0) is None

    @pytest.mark.asyncio
    async def test_upkeep_elsewhere_frees_the_slots_of_the_dead(self, shared: OpenLimited) -> None:
        queue, elsewhere = await shared(_ONE), await shared()
        require(queue, QueueCapability.LEASES)
        assert queue.lease_seconds is not None
        _, parked = await queue.enqueue_many([new_job(), new_job(priority=-1)])
        first = await claim(queue)
        assert await queue.dequeue(QUEUE, timeout=0) is None
        await self.pass_time(queue.lease_seconds + 0.1)
        assert await elsewhere.requeue_expired() == 1
        again = await claim(queue)
        assert again.id == first.id
        assert await queue.acknowledge(again.id)
        assert (await claim(queue)).id == parked.id

    @pytest.mark.asyncio
    async def test_closing_one_frees_its_slots_for_the_other(self, shared: OpenLimited) -> None:
        one, two = await shared(_ONE), await shared(_ONE)
        require(one, QueueCapability.RELEASE)
        running, parked = await one.enqueue_many([new_job(), new_job()])
        await claim(one)
        assert await two.dequeue(QUEUE, timeout=0) is None
        await one.close()
        assert (await claim(two)).id == running.id
        assert await two.acknowledge(running.id)
        assert (await claim(two)).id == parked.id

    @pytest.mark.asyncio
    async def test_nobody_ever_sees_more_running_than_allowed_among_both(self, shared: OpenLimited) -> None:
        limit = ConcurrencyLimit(3, queue_name=QUEUE)
        one, two = await shared(limit), await shared(limit)
        await one.enqueue_many([new_job() for _ in range(100)])
        seen: set[int] = set()

        async def consume(queue: JobQueueAdapter, observer: JobQueueAdapter) -> None:
            while job := await queue.dequeue(QUEUE, timeout=0):
                seen.add((await observer.get_queue_stats(QUEUE)).running_count)
                await queue.acknowledge(job.id)

        async with asyncio.timeout(60):
            while (await one.get_queue_stats(QUEUE)).completed_count < 100:
                await asyncio.gather(*(consume(*pair) for pair in [(one, two), (two, one)] * 10))
        assert max(seen) <= 3

    @pytest.mark.asyncio
    async def test_waiting_consumers_of_both_work_off_a_limited_queue(self, shared: OpenLimited) -> None:
        limit = ConcurrencyLimit(2, queue_name=QUEUE)
        one, two = await shared(limit), await shared(limit)
        jobs = await one.enqueue_many([new_job() for _ in range(60)])
        done: list[Any] = []

        async def consume(queue: JobQueueAdapter) -> None:
            while len(done) < len(jobs):
                job: Job | None = await queue.dequeue(QUEUE, timeout=1)
                if job is not None and await queue.acknowledge(job.id):
                    done.append(job.id)

        consumers = [asyncio.create_task(consume(queue)) for queue in (one, two) * 3]
        try:
            async with asyncio.timeout(20):
                while len(done) < len(jobs):
                    await asyncio.sleep(0.01)
        finally:
            for consumer in consumers:
                consumer.cancel()
            await asyncio.gather(*consumers, return_exceptions=True)
        assert sorted(done) == sorted(job.id for job in jobs)

    @pytest.mark.asyncio
    async def test_jobs_parked_by_a_limit_that_is_gone_are_set_free(self, shared: OpenLimited) -> None:
        before = await shared(_ONE, RateLimit(1, per_seconds=60, queue_name="other"))
        jobs = await before.enqueue_many([new_job() for _ in range(5)])
        others = await before.enqueue_many([new_job(queue_name="other") for _ in range(3)])
        await claim(before)
        await claim(before, "other")
        assert await before.dequeue("other", timeout=0) is None
        assert await before.dequeue(QUEUE, timeout=0) is None
        assert await before.acknowledge_many([jobs[0].id, others[0].id]) == [True, True]
        await before.close()
        after = await shared()
        await self.pass_time(61)
        await after.requeue_expired()
        assert len(await after.dequeue_many(QUEUE, 10, timeout=0)) == 4
        assert len(await after.dequeue_many("other", 10, timeout=0)) == 2

    @pytest.mark.asyncio
    async def test_a_limit_that_was_raised_lets_more_run(self, shared: OpenLimited) -> None:
        before = await shared(_ONE)
        jobs = await before.enqueue_many([new_job() for _ in range(4)])
        await claim(before)
        assert await before.dequeue(QUEUE, timeout=0) is None
        await before.acknowledge(jobs[0].id)
        await before.close()
        after = await shared(ConcurrencyLimit(2, queue_name=QUEUE))
        running = await after.dequeue_many(QUEUE, 10, timeout=0)
        assert [job.id for job in running] == [jobs[1].id, jobs[2].id]

    @pytest.mark.asyncio
    async def test_a_limit_that_was_lowered_lets_fewer_run(self, shared: OpenLimited) -> None:
        before = await shared(ConcurrencyLimit(3, queue_name=QUEUE))
        jobs = await before.enqueue_many([new_job() for _ in range(5)])
        assert len(await before.dequeue_many(QUEUE, 10, timeout=0)) == 3
        after = await shared(_ONE)
        assert await after.dequeue(QUEUE, timeout=0) is None
        assert await before.acknowledge_many([job.id for job in jobs[:2]]) == [True, True]
        assert await after.dequeue(QUEUE, timeout=0) is None
        assert await before.acknowledge(jobs[2].id)
        assert (await claim(after)).id == jobs[3].id
        assert await after.dequeue(QUEUE, timeout=0) is None
