"""Turns of the partitions within one priority."""

from typing import Any

import pytest

from portico.exceptions import ValidationError
from portico.ports.job import Job
from portico.ports.job_queue import JobQueueAdapter, QueueCapability
from portico.testing.contracts.queue_suite.foundation import QUEUE, QueueSuite, claim, new_job, require


class Partitions(QueueSuite):
    """`metadata["partition_key"]`: who has much to do does not hold up who has little."""

    @pytest.fixture
    def fair_queue(self, queue: JobQueueAdapter) -> JobQueueAdapter:
        """Return the queue if it lets partitions take turns."""
        require(queue, QueueCapability.PARTITIONS)
        return queue

    @pytest.mark.asyncio
    async def test_partitions_take_turns(self, fair_queue: JobQueueAdapter) -> None:
        await fair_queue.enqueue_many([_of("a") for _ in range(6)])
        await fair_queue.enqueue_many([_of("b") for _ in range(3)])
        assert await _claim_all(fair_queue) == "ababab" + "aaa"

    @pytest.mark.asyncio
    async def test_partitions_take_turns_in_claims_of_any_size(self, fair_queue: JobQueueAdapter) -> None:
        for tenant in "aaaabbcccccc":
            await fair_queue.enqueue(_of(tenant))
        assert await _claim_all(fair_queue, 5) == "abcabc" + "acac" + "cc"

    @pytest.mark.asyncio
    async def test_the_jobs_of_one_batch_take_turns(self, fair_queue: JobQueueAdapter) -> None:
        await fair_queue.enqueue_many([_of(tenant) for tenant in "aaabbc"])
        assert await _claim_all(fair_queue) == "abcaba"

    @pytest.mark.asyncio
    async def test_who_comes_late_is_not_behind_what_was_there(self, fair_queue: JobQueueAdapter) -> None:
        await fair_queue.enqueue_many([_of("a") for _ in range(20)])
        assert await _claim_all(fair_queue, 10, at_most=10) == "a" * 10
        await fair_queue.enqueue_many([_of("b"), _of("b")])
        assert (await _claim_all(fair_queue, at_most=5)).count("b") == 2

    @pytest.mark.asyncio
    async def test_who_comes_late_does_not_make_up_for_what_is_over(self, fair_queue: JobQueueAdapter) -> None:
        await fair_queue.enqueue_many([_of("a") for _ in range(20)])
        await _claim_all(fair_queue, 10, at_most=10)
        await fair_queue.enqueue_many([_of("b") for _ in range(10)])
        assert 4 <= (await _claim_all(fair_queue, at_most=10)).count("b") <= 6

    @pytest.mark.asyncio
    async def test_a_priority_goes_before_any_turn(self, fair_queue: JobQueueAdapter) -> None:
        await fair_queue.enqueue_many([_of("b") for _ in range(3)])
        await fair_queue.enqueue_many([_of("a", priority=5) for _ in range(4)])
        assert await _claim_all(fair_queue) == "aaaabbb"

    @pytest.mark.asyncio
    async def test_each_priority_has_its_own_turns(self, fair_queue: JobQueueAdapter) -> None:
        await fair_queue.enqueue_many([_of("a", priority=5) for _ in range(4)])
        await fair_queue.enqueue_many([_of("a") for _ in range(2)])
        await fair_queue.enqueue_many([_of("b") for _ in range(2)])
        assert await _claim_all(fair_queue) == "aaaa" + "abab"

    @pytest.mark.asyncio
    async def test_jobs_without_a_key_take_turns_together(self, fair_queue: JobQueueAdapter) -> None:
        await fair_queue.enqueue_many([_of("a") for _ in range(3)])
        await fair_queue.enqueue_many([_of(None) for _ in range(3)])
        await fair_queue.enqueue_many([_of("b") for _ in range(2)])
        assert await _claim_all(fair_queue) == "a-ba-ba-"

    @pytest.mark.asyncio
    async def test_a_job_without_a_key_that_comes_late_has_its_turn(self, fair_queue: JobQueueAdapter) -> None:
        await fair_queue.enqueue_many([_of(tenant) for tenant in "aaaa"])
        assert await _claim_all(fair_queue, at_most=2) == "aa"
        await fair_queue.enqueue(_of(None))
        assert "-" in await _claim_all(fair_queue, at_most=2)

    @pytest.mark.asyncio
    async def test_the_queues_know_nothing_of_each_other(self, fair_queue: JobQueueAdapter) -> None:
        await fair_queue.enqueue_many([_of("a", queue_name="other") for _ in range(5)])
        await fair_queue.enqueue_many([_of("a"), _of("b"), _of("a"), _of("b")])
        assert await _claim_all(fair_queue) == "abab"

    @pytest.mark.asyncio
    async def test_a_job_that_comes_back_has_its_old_turn(self, fair_queue: JobQueueAdapter) -> None:
        jobs = await fair_queue.enqueue_many([_of(tenant) for tenant in "aabb"])
        first = await claim(fair_queue)
        assert first.id == jobs[0].id
        assert await fair_queue.reject(first.id)
        assert (await claim(fair_queue)).id == first.id
        second = await claim(fair_queue)
        assert second.id == jobs[2].id
        if QueueCapability.RELEASE in fair_queue.capabilities:
            assert await fair_queue.release(second.id)
            assert (await claim(fair_queue)).id == second.id
        assert await _claim_all(fair_queue) == "ab"

    @pytest.mark.asyncio
    async def test_who_called_a_job_off_has_its_next_one_in_turn(self, fair_queue: JobQueueAdapter) -> None:
        jobs = await fair_queue.enqueue_many([_of(tenant) for tenant in "aabb"])
        assert await fair_queue.cancel_job(jobs[0].id)
        assert sorted(await _claim_all(fair_queue)) == ["a", "b", "b"]

    @pytest.mark.asyncio
    async def test_a_duplicate_takes_no_turn(self, fair_queue: JobQueueAdapter) -> None:
        require(fair_queue, QueueCapability.KEYS)
        for _ in range(5):
            await fair_queue.enqueue(_of("a", idempotency_key="once"))
        await fair_queue.enqueue_many([_of(tenant) for tenant in "abbb"])
        assert await _claim_all(fair_queue) == "ababb"

    @pytest.mark.asyncio
    async def test_a_key_that_is_no_text_is_refused(self, fair_queue: JobQueueAdapter) -> None:
        job = new_job(metadata={"partition_key": 7})
        with pytest.raises(ValidationError, match="partition_key"):
            await fair_queue.enqueue(job)
        assert await fair_queue.get_job(job.id) is None

    @pytest.mark.asyncio
    async def test_an_empty_key_is_none(self, fair_queue: JobQueueAdapter) -> None:
        await fair_queue.enqueue_many([_of("a"), _of("a"), _of(None), new_job(metadata={"partition_key": ""})])
        assert await _claim_all(fair_queue) == "a-a-"


def _of(tenant: str | None, *, idempotency_key: str | None = None, **fields: Any) -> Job:
    metadata = {} if tenant is None else {"partition_key": tenant}
    if idempotency_key is not None:
        metadata["idempotency_key"] = idempotency_key
    return new_job(metadata=metadata, **fields)


async def _claim_all(queue: JobQueueAdapter, batch: int = 1, *, at_most: int = 1_000) -> str:
    """Claim jobs, and return their partitions in order; "-" is one without."""
    claimed: list[Job] = []
    while len(claimed) < at_most and (jobs := await queue.dequeue_many(QUEUE, batch, timeout=0)):
        claimed += jobs
    return "".join(job.metadata.get("partition_key") or "-" for job in claimed)
