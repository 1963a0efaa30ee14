"""Who gets which job, and when."""

import asyncio
import random

import pytest

from portico.ports.job import Job, JobStatus
from portico.ports.job_queue import JobQueueAdapter, QueueCapability, delays_retries
from portico.testing.contracts.queue_suite.foundation import (
    QUEUE,
    QueueSuite,
    claim,
    new_job,
    require,
    stored,
)


class Claims(QueueSuite):
    """Order, schedule, waiting, cancelling."""

    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.asyncio
    async def test_higher_priority_first_then_first_in_first_out(self, queue: JobQueueAdapter, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - a reproducible order, no secret
        jobs = [new_job(priority=chance.randint(-2, 2), payload={"n": number}) for number in range(40)]
        for job in jobs[:20]:
            await queue.enqueue(job)
        await queue.enqueue_many(jobs[20:])
        claimed: list[Job] = []
        while batch := await queue.dequeue_many(QUEUE, chance.randint(1, 7), timeout=0):
            claimed += batch
        # sorting is stable: within a priority the order of creation stays
        assert [job.id for job in claimed] == [job.id for job in sorted(jobs, key=lambda job: -job.priority)]

    @pytest.mark.asyncio
    async def test_a_retried_job_keeps_its_place(self, queue: JobQueueAdapter) -> None:
        first, second = await queue.enqueue_many([new_job(), new_job()])
        assert (await claim(queue)).id == first.id
        await queue.reject(first.id)
        assert [(await claim(queue)).id, (await claim(queue)).id] == [first.id, second.id]

    @pytest.mark.asyncio
    async def test_a_claim_takes_no_more_than_its_limit_and_only_its_queue(self, queue: JobQueueAdapter) -> None:
        await queue.enqueue_many([*(new_job() for _ in range(5)), new_job(queue_name="other")])
        assert len(await queue.dequeue_many(QUEUE, 3, timeout=0)) == 3
        assert len(await queue.dequeue_many(QUEUE, 100, timeout=0)) == 2
        assert await queue.dequeue_many(QUEUE, 100, timeout=0) == []
        assert (await queue.get_queue_stats("other")).pending_count == 1

    @pytest.mark.asyncio
    async def test_concurrent_claims_never_share_a_job(self, queue: JobQueueAdapter) -> None:
        await queue.enqueue_many([new_job() for _ in range(30)])
        claims = await asyncio.gather(*(queue.dequeue(QUEUE, timeout=0) for _ in range(40)))
        ids = [job.id for job in claims if job is not None]
        assert len(ids) == len(set(ids)) == 30

    @pytest.mark.asyncio
    async def test_a_scheduled_job_is_not_claimed_before_its_time(self, queue: JobQueueAdapter) -> None:
        at = self.soon(0.3)
        job = await queue.enqueue(new_job(scheduled_at=at, priority=9))
        assert job.status is JobStatus.SCHEDULED
        assert await queue.dequeue(QUEUE, timeout=0) is None
        await self.pass_time(0.4)
        assert (await stored(queue, job)).status is JobStatus.SCHEDULED
        claimed = await claim(queue)
        assert (claimed.id, claimed.scheduled_at) == (job.id, at)

    @pytest.mark.asyncio
    async def test_a_job_scheduled_in_the_past_is_claimed_in_its_turn(self, queue: JobQueueAdapter) -> None:
        first = await queue.enqueue(new_job())
        past = await queue.enqueue(new_job(scheduled_at=self.soon(-60)))
        assert past.status is JobStatus.SCHEDULED
        assert [(await claim(queue)).id, (await claim(queue)).id] == [first.id, past.id]

    @pytest.mark.asyncio
    async def test_a_future_job_of_high_priority_holds_nobody_up(self, queue: JobQueueAdapter) -> None:
        await queue.enqueue(new_job(scheduled_at=self.soon(60), priority=100))
        ready = await queue.enqueue(new_job(priority=-100))
        assert (await claim(queue)).id == ready.id

    @pytest.mark.asyncio
    async def test_a_waiting_claim_gets_the_job_that_comes(self, queue: JobQueueAdapter) -> None:
        waiting = asyncio.create_task(queue.dequeue(QUEUE, timeout=30))
        await self.until_waiting(waiting)
        job = await queue.enqueue(new_job())
        claimed = await asyncio.wait_for(waiting, 5)
        assert claimed is not None
        assert claimed.id == job.id

    @pytest.mark.asyncio
    async def test_a_waiting_claim_gets_a_scheduled_job_when_it_is_due(self, queue: JobQueueAdapter) -> None:
        job = await queue.enqueue(new_job(scheduled_at=self.soon(0.3)))
        waiting = asyncio.create_task(queue.dequeue(QUEUE, timeout=30))
        await self.until_waiting(waiting)
        await self.pass_time(0.3)
        claimed = await asyncio.wait_for(waiting, 5)
        assert claimed is not None
        assert claimed.id == job.id
        assert self.clock.now() >= (job.scheduled_at or self.clock.now())

    @pytest.mark.asyncio
    async def test_a_waiting_claim_ends_with_its_timeout(self, queue: JobQueueAdapter) -> None:
        waiting = asyncio.create_task(queue.dequeue(QUEUE, timeout=0.2))
        await self.until_waiting(waiting)
        assert not waiting.done()
        await self.pass_time(0.2)
        assert await asyncio.wait_for(waiting, 5) is None

    @pytest.mark.asyncio
    async def test_a_rejected_job_wakes_a_waiting_claim(self, queue: JobQueueAdapter) -> None:
        job = await queue.enqueue(new_job())
        await claim(queue)
        waiting = asyncio.create_task(queue.dequeue(QUEUE, timeout=30))
        await self.until_waiting(waiting)
        await queue.reject(job.id)
        again = await asyncio.wait_for(waiting, 5)
        assert again is not None
        assert again.id == job.id

    @pytest.mark.asyncio
    async def test_a_job_that_came_between_a_claim_and_a_wait_is_not_missed(self, queue: JobQueueAdapter) -> None:
        assert await queue.dequeue(QUEUE, timeout=0) is None
        await queue.enqueue(new_job())
        await asyncio.wait_for(queue.wait_for_jobs(["elsewhere", QUEUE], timeout=30), 5)
        await claim(queue)

    @pytest.mark.asyncio
    async def test_a_delayed_retry_waits_for_its_time(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.DELAYED_RETRY)
        delaying: object = queue
        assert delays_retries(delaying)
        job = await queue.enqueue(new_job())
        await claim(queue)
        assert await delaying.reject(job.id, error_message="later", retry_at=self.soon(0.3))
        assert (await stored(queue, job)).status is JobStatus.RETRYING
        assert await queue.dequeue(QUEUE, timeout=0) is None
        await self.pass_time(0.4)
        assert (await claim(queue)).id == job.id

    @pytest.mark.parametrize("ticks", [*range(12), 20, 50, 200, 1000])
    @pytest.mark.asyncio
    async def test_a_cancelled_claim_strands_nothing(self, queue: JobQueueAdapter, ticks: int) -> None:
        jobs = await queue.enqueue_many([new_job(), new_job()])
        claiming = asyncio.create_task(queue.dequeue(QUEUE, timeout=30))
        for _ in range(ticks):
            await asyncio.sleep(0)
        claiming.cancel()
        answers = await asyncio.gather(claiming, return_exceptions=True)
        kept = [answer for answer in answers if isinstance(answer, Job)]
        left = 2 - len(kept)
        again: list[Job] = []
        async with asyncio.timeout(5):
            while len(again) < left:
                again += await queue.dequeue_many(QUEUE, 10, timeout=0)
                await asyncio.sleep(0.001)
        assert {job.id for job in (*kept, *again)} == {job.id for job in jobs}
        assert all((job.retry_count, job.crash_count) == (0, 0) for job in again)

    @pytest.mark.asyncio
    async def test_a_cancelled_wait_takes_nothing_from_the_next_one(self, queue: JobQueueAdapter) -> None:
        leaving = asyncio.create_task(queue.dequeue(QUEUE, timeout=30))
        staying = asyncio.create_task(queue.dequeue(QUEUE, timeout=30))
        await self.until_waiting(staying)
        await self.until_waiting(leaving)
        job = await queue.enqueue(new_job())
        leaving.cancel()
        answers = await asyncio.wait_for(asyncio.gather(leaving, return_exceptions=True), 5)
        if isinstance(answers[0], Job):
            staying.cancel()
            await asyncio.gather(staying, return_exceptions=True)
            return
        claimed = await asyncio.wait_for(staying, 5)
        assert claimed is not None
        assert claimed.id == job.id

    @pytest.mark.asyncio
    async def test_close_ends_a_waiting_claim(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.RELEASE)
        waiting = asyncio.create_task(queue.dequeue(QUEUE, timeout=30))
        await self.until_waiting(waiting)
        await queue.close()
        assert await asyncio.wait_for(waiting, 5) is None

    @pytest.mark.parametrize("ticks", [*range(6), 20, 200])
    @pytest.mark.asyncio
    async def test_a_cancelled_enqueue_that_happened_wakes_a_waiting_claim(
        self, queue: JobQueueAdapter, ticks: int
    ) -> None:
        waiting = asyncio.create_task(queue.dequeue(QUEUE, timeout=30))
        await self.until_waiting(waiting)
        job = new_job()
        enqueuing = asyncio.create_task(queue.enqueue(job))
        for _ in range(ticks):
            await asyncio.sleep(0)
        enqueuing.cancel()
        await asyncio.gather(enqueuing, return_exceptions=True)
        # a second one says that the first is through, if it went
        await queue.enqueue(new_job(queue_name="other"))
        happened = await queue.get_job(job.id) is not None
        if not happened:
            waiting.cancel()
        [claimed] = await asyncio.wait_for(asyncio.gather(waiting, return_exceptions=True), 5)
        assert happened is (isinstance(claimed, Job) and claimed.id == job.id)
