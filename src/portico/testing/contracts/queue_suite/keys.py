"""Keys that make jobs unique."""

import asyncio
from dataclasses import replace

import pytest

from portico.exceptions import ConflictError, ValidationError
from portico.ports.job import Job, JobStatus
from portico.ports.job_queue import JobQueueAdapter, QueueCapability
from portico.testing.clock import FakeClock
from portico.testing.contracts.queue_suite.foundation import (
    QUEUE,
    QueueSuite,
    claim,
    new_job,
    require,
    stored,
)


class Keys(QueueSuite):
    """One job for each idempotency key, one live job for each unique key."""

    @pytest.mark.parametrize("kind", ["idempotency_key", "unique_key"])
    @pytest.mark.asyncio
    async def test_fifty_concurrent_creations_make_one_job(self, queue: JobQueueAdapter, kind: str) -> None:
        require(queue, QueueCapability.KEYS)
        answers = await asyncio.gather(*(queue.enqueue(new_job(metadata={kind: "k"})) for _ in range(50)))
        assert len({job.id for job in answers}) == 1
        assert sorted(job.is_duplicate for job in answers) == [False] + [True] * 49
        assert (await queue.get_queue_stats(QUEUE)).pending_count == 1

    @pytest.mark.parametrize("kind", ["idempotency_key", "unique_key"])
    @pytest.mark.asyncio
    async def test_duplicates_inside_a_batch_are_found(self, queue: JobQueueAdapter, kind: str) -> None:
        require(queue, QueueCapability.KEYS)
        batch = [new_job(metadata={kind: key} if key else {}) for key in ("a", "", "b", "a", "", "b", "a")]
        answers = await queue.enqueue_many(batch)
        expected = [batch[place].id for place in (0, 1, 2, 0, 4, 2, 0)]
        assert [job.id for job in answers] == expected
        assert [job.is_duplicate for job in answers] == [False, False, False, True, False, True, True]
        claimed = await queue.dequeue_many(QUEUE, 10, timeout=0)
        assert [job.id for job in claimed] == [batch[place].id for place in (0, 1, 2, 4)]

    @pytest.mark.asyncio
    async def test_a_duplicate_is_the_first_job_as_it_is_now(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.KEYS)
        first = await queue.enqueue(_keyed(payload={"n": 1}))
        await claim(queue)
        again = await queue.enqueue(_keyed(payload={"n": 2}))
        assert (again.id, again.status, again.payload) == (first.id, JobStatus.RUNNING, {"n": 1})
        assert again.is_duplicate

    @pytest.mark.parametrize("kind", ["idempotency_key", "unique_key"])
    @pytest.mark.asyncio
    async def test_keys_are_held_per_queue(self, queue: JobQueueAdapter, kind: str) -> None:
        require(queue, QueueCapability.KEYS)
        here = await queue.enqueue(new_job(metadata={kind: "k"}))
        there = await queue.enqueue(new_job(metadata={kind: "k"}, queue_name="other"))
        assert not here.is_duplicate
        assert not there.is_duplicate

    @pytest.mark.parametrize("ended_as", [JobStatus.COMPLETED, JobStatus.FAILED])
    @pytest.mark.asyncio
    async def test_an_idempotency_key_outlives_its_job_and_a_unique_key_does_not(
        self, queue: JobQueueAdapter, ended_as: JobStatus
    ) -> None:
        require(queue, QueueCapability.KEYS)
        keyed, unique = _keyed(), new_job(metadata={"unique_key": "u"})
        await queue.enqueue_many([keyed, unique])
        for job in await queue.dequeue_many(QUEUE, 2, timeout=0):
            if ended_as is JobStatus.COMPLETED:
                assert await queue.acknowledge(job.id)
            else:
                assert await queue.reject(job.id, requeue=False)
        assert (await queue.enqueue(_keyed())).id == keyed.id
        assert not (await queue.enqueue(new_job(metadata={"unique_key": "u"}))).is_duplicate

    @pytest.mark.asyncio
    async def test_a_unique_key_is_held_while_its_job_is_retried(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.KEYS)
        first = await queue.enqueue(new_job(metadata={"unique_key": "u"}))
        await claim(queue)
        await queue.reject(first.id)
        assert (await queue.enqueue(new_job(metadata={"unique_key": "u"}))).id == first.id

    @pytest.mark.asyncio
    async def test_a_cancelled_job_frees_its_unique_key(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.KEYS)
        first = await queue.enqueue(new_job(metadata={"unique_key": "u"}))
        await queue.cancel_job(first.id)
        assert not (await queue.enqueue(new_job(metadata={"unique_key": "u"}))).is_duplicate

    @pytest.mark.asyncio
    async def test_a_deleted_job_leaves_its_idempotency_key_held(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.KEYS, QueueCapability.DELETE_JOB)
        first = await queue.enqueue(_keyed())
        await claim(queue)
        await queue.acknowledge(first.id)
        assert await queue.delete_job(first.id)
        again = await queue.enqueue(_keyed())
        assert (again.id, again.status, again.is_duplicate) == (first.id, JobStatus.COMPLETED, True)
        assert await queue.get_job(first.id) is None

    @pytest.mark.asyncio
    async def test_the_duplicate_of_a_deleted_job_is_the_first_one_without_what_was_in_it(
        self, queue: JobQueueAdapter
    ) -> None:
        require(queue, QueueCapability.KEYS, QueueCapability.DELETE_JOB)
        first = await queue.enqueue(_keyed(priority=3, payload={"secret": 1}, max_retries=1))
        await claim(queue)
        await queue.acknowledge(first.id, {"secret": 2})
        ended = await stored(queue, first)
        assert await queue.delete_job(first.id)
        again = await queue.enqueue(_keyed(job_type="suite.other", payload={"n": 2}))
        assert again == replace(ended, payload={"n": 2}, result=None)

    @pytest.mark.parametrize("fate", ["kept", "deleted"])
    @pytest.mark.asyncio
    async def test_an_idempotency_key_is_free_when_its_time_is_over(self, queue: JobQueueAdapter, fate: str) -> None:
        require(queue, QueueCapability.KEYS)
        if not isinstance(self.clock, FakeClock):
            pytest.skip("this needs a clock that can be moved")
        first = await queue.enqueue(_keyed())
        await claim(queue)
        await queue.acknowledge(first.id)
        if fate == "deleted":
            require(queue, QueueCapability.DELETE_JOB)
            await queue.delete_job(first.id)
        await self.pass_time(self.idempotency_seconds - 1)
        assert (await queue.enqueue(_keyed())).is_duplicate
        await self.pass_time(2)
        await queue.requeue_expired()
        second = await queue.enqueue(_keyed())
        assert not second.is_duplicate
        assert (await queue.enqueue(_keyed())).id == second.id

    @pytest.mark.asyncio
    async def test_an_unfinished_job_holds_its_idempotency_key_however_long(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.KEYS)
        if not isinstance(self.clock, FakeClock):
            pytest.skip("this needs a clock that can be moved")
        first = await queue.enqueue(_keyed())
        await self.pass_time(self.idempotency_seconds * 2)
        assert (await queue.enqueue(_keyed())).id == first.id

    @pytest.mark.asyncio
    async def test_a_failed_job_cannot_be_retried_while_another_has_its_unique_key(
        self, queue: JobQueueAdapter
    ) -> None:
        require(queue, QueueCapability.KEYS, QueueCapability.RETRY_JOB)
        first = await queue.enqueue(new_job(metadata={"unique_key": "u"}))
        await queue.cancel_job(first.id)
        second = await queue.enqueue(new_job(metadata={"unique_key": "u"}))
        with pytest.raises(ConflictError):
            await queue.retry_job(first.id)
        await queue.cancel_job(second.id)
        assert await queue.retry_job(first.id)
        assert (await queue.enqueue(new_job(metadata={"unique_key": "u"}))).id == first.id

    @pytest.mark.asyncio
    async def test_a_key_that_is_not_text_is_refused(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.KEYS)
        with pytest.raises(ValidationError):
            await queue.enqueue(new_job(metadata={"idempotency_key": 7}))


def _keyed(**fields: object) -> Job:
    return new_job(metadata={"idempotency_key": "event-1"}, **fields)
