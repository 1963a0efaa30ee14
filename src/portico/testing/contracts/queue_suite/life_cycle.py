"""A job from its creation to its end."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from portico.exceptions import ValidationError
from portico.ports.job import JobStatus, QueueStats
from portico.ports.job_queue import JobQueueAdapter
from portico.testing.contracts.queue_suite.foundation import QUEUE, QueueSuite, claim, job_in, new_job, stored

_ENDED = [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.DEAD_LETTER]


class LifeCycle(QueueSuite):
    """Enqueue, acknowledge, reject, cancel, and what is stored then."""

    @pytest.mark.asyncio
    async def test_a_job_is_stored_as_it_was_given(self, queue: JobQueueAdapter) -> None:
        given = new_job(
            payload={"text": "Grüße \u2028 \x00 \ud800", "list": [1, 2.5, None, True], "big": 2**70},
            priority=-7,
            max_retries=9,
            created_by=uuid.uuid4(),
            metadata={"source": {"name": "suite"}},
        )
        await queue.enqueue(given)
        found = await stored(queue, given)
        assert found.created_at is not None
        assert (found.id, found.queue_name, found.job_type) == (given.id, given.queue_name, given.job_type)
        assert (found.payload, found.metadata, found.created_by) == (given.payload, given.metadata, given.created_by)
        assert (found.priority, found.max_retries, found.status) == (-7, 9, JobStatus.PENDING)

    @pytest.mark.asyncio
    async def test_enqueue_returns_what_get_job_returns(self, queue: JobQueueAdapter) -> None:
        for job in (new_job(), new_job(scheduled_at=self.soon(60))):
            returned = await queue.enqueue(job)
            assert returned == await queue.get_job(job.id)
            assert not returned.is_duplicate

    @pytest.mark.asyncio
    async def test_what_a_caller_changes_afterwards_is_not_stored(self, queue: JobQueueAdapter) -> None:
        job = new_job(payload={"list": [1]})
        await queue.enqueue(job)
        job.payload["list"].append(2)
        (await stored(queue, job)).payload["list"].append(3)
        (await claim(queue)).payload["list"].append(4)
        assert (await stored(queue, job)).payload == {"list": [1]}

    @pytest.mark.asyncio
    async def test_a_payload_that_is_not_json_is_refused_and_stores_nothing(self, queue: JobQueueAdapter) -> None:
        with pytest.raises(ValidationError):
            await queue.enqueue(new_job(payload={"when": object()}))
        if type(queue).enqueue_many is not JobQueueAdapter.enqueue_many:
            # the port's default goes one by one; a batch of its own is stored whole or not at all
            with pytest.raises(ValidationError):
                await queue.enqueue_many([new_job(), new_job(payload={"share": float("nan")})])
        assert await queue.get_queue_stats(QUEUE) == QueueStats(QUEUE)

    @pytest.mark.asyncio
    async def test_enqueue_before_initialize_initialises(self) -> None:
        queue = await _made(self)
        try:
            job = await queue.enqueue(new_job())
            assert await queue.get_job(job.id) == job
        finally:
            await queue.close()

    @pytest.mark.asyncio
    async def test_initialize_and_close_may_be_called_twice(self) -> None:
        queue = await _made(self)
        await queue.close()
        await queue.initialize()
        await queue.initialize()
        await queue.close()
        await queue.close()

    @pytest.mark.asyncio
    async def test_a_closed_queue_can_be_used_again(self, queue: JobQueueAdapter) -> None:
        job = await queue.enqueue(new_job())
        await queue.close()
        await queue.initialize()
        assert (await claim(queue)).id == job.id

    @pytest.mark.asyncio
    async def test_an_id_that_exists_is_answered_with_the_stored_job(self, queue: JobQueueAdapter) -> None:
        first = await queue.enqueue(new_job(payload={"n": 1}))
        second = await queue.enqueue(new_job(id=first.id, payload={"n": 2}))
        assert second.is_duplicate
        assert (second.id, second.payload) == (first.id, {"n": 1})
        assert (await queue.get_queue_stats(QUEUE)).pending_count == 1

    @pytest.mark.asyncio
    async def test_a_retried_enqueue_after_the_job_ended_creates_nothing(self, queue: JobQueueAdapter) -> None:
        job = await job_in(queue, JobStatus.COMPLETED)
        again = await queue.enqueue(new_job(id=job.id))
        assert (again.is_duplicate, again.status) == (True, JobStatus.COMPLETED)

    @pytest.mark.asyncio
    async def test_a_claimed_job_is_running_since_its_claim(self, queue: JobQueueAdapter) -> None:
        job = await queue.enqueue(new_job())
        before = self.clock.now()
        claimed = await claim(queue)
        assert (claimed.id, claimed.status) == (job.id, JobStatus.RUNNING)
        assert claimed.started_at is not None
        assert before - timedelta(seconds=1) <= claimed.started_at <= self.clock.now() + timedelta(seconds=1)
        assert await queue.get_job(job.id) == claimed

    @pytest.mark.asyncio
    async def test_acknowledge_completes_and_keeps_the_result(self, queue: JobQueueAdapter) -> None:
        job = await job_in(queue, JobStatus.RUNNING)
        assert await queue.acknowledge(job.id, {"rows": 3})
        found = await stored(queue, job)
        assert (found.status, found.result, found.error_message) == (JobStatus.COMPLETED, {"rows": 3}, None)
        assert found.completed_at is not None
        assert found.completed_at.utcoffset() == timedelta(0)

    @pytest.mark.asyncio
    async def test_reject_gives_a_job_back_until_its_retries_are_used_up(self, queue: JobQueueAdapter) -> None:
        job = await queue.enqueue(new_job(max_retries=2))
        seen = []
        for attempt in range(3):
            await claim(queue)
            assert await queue.reject(job.id, error_message=f"failure {attempt}")
            found = await stored(queue, job)
            seen.append((found.status, found.retry_count, found.error_message))
        assert seen == [
            (JobStatus.RETRYING, 1, "failure 0"),
            (JobStatus.RETRYING, 2, "failure 1"),
            (JobStatus.DEAD_LETTER, 2, "failure 2"),
        ]
        assert (await stored(queue, job)).failed_at is not None
        assert await queue.dequeue(QUEUE, timeout=0) is None

    @pytest.mark.asyncio
    async def test_reject_without_requeue_fails_at_once(self, queue: JobQueueAdapter) -> None:
        job = await job_in(queue, JobStatus.RUNNING)
        assert await queue.reject(job.id, requeue=False, error_message="wrong \udce4 input")
        found = await stored(queue, job)
        assert (found.status, found.retry_count) == (JobStatus.FAILED, 0)
        assert found.failed_at is not None
        assert "wrong" in (found.error_message or "")

    @pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.RETRYING, *_ENDED])
    @pytest.mark.asyncio
    async def test_answers_to_a_job_that_is_not_running_change_nothing(
        self, queue: JobQueueAdapter, status: JobStatus
    ) -> None:
        job = await job_in(queue, status)
        assert not await queue.acknowledge(job.id, {"late": True})
        assert not await queue.reject(job.id, error_message="late")
        assert not await queue.reject(job.id, requeue=False)
        assert await queue.get_job(job.id) == job

    @pytest.mark.asyncio
    async def test_unknown_ids_are_answered_not_raised(self, queue: JobQueueAdapter) -> None:
        unknown = uuid.uuid4()
        assert await queue.get_job(unknown) is None
        assert not await queue.acknowledge(unknown)
        assert not await queue.reject(unknown)
        assert not await queue.cancel_job(unknown)

    @pytest.mark.asyncio
    async def test_many_are_acknowledged_each_for_itself(self, queue: JobQueueAdapter) -> None:
        jobs = await queue.enqueue_many([new_job(payload={"n": number}) for number in range(3)])
        await queue.dequeue_many(QUEUE, 2, timeout=0)
        ids = [jobs[0].id, jobs[2].id, uuid.uuid4(), jobs[1].id, jobs[0].id]
        assert await queue.acknowledge_many(ids, {jobs[1].id: {"n": 1}}) == [True, False, False, True, False]
        assert (await stored(queue, jobs[1])).result == {"n": 1}
        assert (await stored(queue, jobs[0])).result is None

    @pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.RETRYING])
    @pytest.mark.asyncio
    async def test_a_waiting_job_can_be_cancelled(self, queue: JobQueueAdapter, status: JobStatus) -> None:
        job = await job_in(queue, status)
        assert await queue.cancel_job(job.id)
        found = await stored(queue, job)
        assert (found.status, found.error_message) == (JobStatus.FAILED, "Job cancelled")
        assert found.failed_at is not None
        assert await queue.dequeue(QUEUE, timeout=0) is None

    @pytest.mark.asyncio
    async def test_a_scheduled_job_can_be_cancelled(self, queue: JobQueueAdapter) -> None:
        job = await queue.enqueue(new_job(scheduled_at=self.soon(0.2)))
        assert await queue.cancel_job(job.id)
        await self.pass_time(0.3)
        assert await queue.dequeue(QUEUE, timeout=0) is None

    @pytest.mark.parametrize("status", [JobStatus.RUNNING, *_ENDED])
    @pytest.mark.asyncio
    async def test_any_other_job_cannot_be_cancelled(self, queue: JobQueueAdapter, status: JobStatus) -> None:
        job = await job_in(queue, status)
        assert not await queue.cancel_job(job.id)
        assert await queue.get_job(job.id) == job

    @pytest.mark.asyncio
    async def test_stats_count_every_stored_job_once(self, queue: JobQueueAdapter) -> None:
        for status in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.DEAD_LETTER, JobStatus.RUNNING):
            await job_in(queue, status)
        cancelled = await job_in(queue, JobStatus.PENDING)
        await queue.cancel_job(cancelled.id)
        await job_in(queue, JobStatus.RETRYING)
        await queue.enqueue_many([new_job(), new_job(scheduled_at=self.soon(60)), new_job(queue_name="other")])
        assert await queue.get_queue_stats(QUEUE) == QueueStats(QUEUE, 3, 1, 1, 2, 1)

    @pytest.mark.asyncio
    async def test_an_unknown_queue_has_no_jobs(self, queue: JobQueueAdapter) -> None:
        assert await queue.get_queue_stats("nowhere") == QueueStats("nowhere")

    @pytest.mark.asyncio
    async def test_times_are_aware_and_in_utc(self, queue: JobQueueAdapter) -> None:
        naive = datetime(2040, 7, 1, 12, 30, 15, 250_001)  # noqa: DTZ001 - naive is what is tested
        job = await queue.enqueue(new_job(scheduled_at=naive))
        found = await stored(queue, job)
        assert found.scheduled_at == naive.astimezone(UTC)
        for moment in (found.scheduled_at, found.created_at):
            assert moment is not None
            assert moment.utcoffset() == timedelta(0)


async def _made(suite: QueueSuite) -> JobQueueAdapter:
    made = suite.make_queue()
    queue: JobQueueAdapter = made if isinstance(made, JobQueueAdapter) else await made
    return queue
