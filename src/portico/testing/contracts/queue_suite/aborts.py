"""Running jobs that somebody wants to end."""

import uuid
from collections.abc import Awaitable, Callable

import pytest

from portico.ports.job import Job, JobStatus
from portico.ports.job_lifecycle import CANCELLED_MESSAGE
from portico.ports.job_queue import JobQueueAdapter, QueueCapability
from portico.testing.contracts.queue_suite.foundation import QUEUE, QueueSuite, claim, job_in, new_job, require, stored


class Aborts(QueueSuite):
    """Asking for the end of a run, and what becomes of the job."""

    @pytest.mark.asyncio
    async def test_only_a_running_job_can_be_aborted(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.ABORT)
        # the one that can be claimed again is the last
        for status in (JobStatus.PENDING, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.RETRYING):
            job = await job_in(queue, status)
            assert not await queue.request_abort(job.id)
            assert await queue.get_job(job.id) == job
        assert not await queue.request_abort(uuid.uuid4())
        assert await queue.abort_requests() == frozenset()

    @pytest.mark.asyncio
    async def test_a_worker_hears_which_of_its_jobs_shall_end(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.ABORT)
        _, other = await job_in(queue, JobStatus.RUNNING), await job_in(queue, JobStatus.RUNNING)
        assert await queue.request_abort(other.id)
        assert await queue.abort_requests() == {other.id}
        # until it is answered, and asked twice it is the same
        assert await queue.request_abort(other.id)
        assert await queue.abort_requests() == {other.id}
        assert (await stored(queue, other)).status is JobStatus.RUNNING
        assert await queue.reject(other.id, requeue=False, error_message=CANCELLED_MESSAGE)
        assert await queue.abort_requests() == frozenset()
        found = await stored(queue, other)
        assert (found.status, found.error_message) == (JobStatus.FAILED, CANCELLED_MESSAGE)

    @pytest.mark.asyncio
    async def test_a_job_may_complete_before_its_worker_hears_of_it(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.ABORT)
        job = await job_in(queue, JobStatus.RUNNING)
        assert await queue.request_abort(job.id)
        assert await queue.acknowledge(job.id)
        assert (await stored(queue, job)).status is JobStatus.COMPLETED

    @pytest.mark.asyncio
    @pytest.mark.parametrize("way", ["reject", "release", "expire", "close"])
    async def test_a_job_that_shall_end_waits_no_more(self, queue: JobQueueAdapter, way: str) -> None:
        require(queue, QueueCapability.ABORT, QueueCapability.RELEASE, QueueCapability.LEASES)
        job = await job_in(queue, JobStatus.RUNNING)
        assert await queue.request_abort(job.id)
        ways: dict[str, Callable[[JobQueueAdapter, Job], Awaitable[None]]] = {
            "reject": _reject,
            "release": _release,
            "expire": self._expire,
            "close": _close,
        }
        await ways[way](queue, job)
        found = await stored(queue, job)
        assert (found.status, found.error_message) == (JobStatus.FAILED, CANCELLED_MESSAGE)
        assert found.failed_at is not None
        assert await queue.dequeue(QUEUE, timeout=0) is None

    @pytest.mark.asyncio
    async def test_what_ends_a_job_anyway_has_its_own_reason(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.ABORT)
        job = await queue.enqueue(new_job(max_retries=0))
        await claim(queue)
        assert await queue.request_abort(job.id)
        assert await queue.reject(job.id, error_message="broken")
        found = await stored(queue, job)
        assert (found.status, found.error_message) == (JobStatus.DEAD_LETTER, "broken")

    @pytest.mark.asyncio
    async def test_a_job_that_is_asked_for_again_is_not_aborted_again(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.ABORT, QueueCapability.RETRY_JOB)
        job = await job_in(queue, JobStatus.RUNNING)
        assert await queue.request_abort(job.id)
        assert await queue.reject(job.id)
        assert await queue.retry_job(job.id)
        assert (await claim(queue)).id == job.id
        assert await queue.abort_requests() == frozenset()
        assert await queue.reject(job.id)
        assert (await stored(queue, job)).status is JobStatus.RETRYING

    @pytest.mark.asyncio
    async def test_an_abort_is_asked_for_from_elsewhere(
        self, queue: JobQueueAdapter, second_queue: JobQueueAdapter
    ) -> None:
        require(queue, QueueCapability.ABORT)
        job = await job_in(queue, JobStatus.RUNNING)
        assert await second_queue.request_abort(job.id)
        assert await second_queue.abort_requests() == frozenset()
        assert await queue.abort_requests() == {job.id}

    async def _expire(self, queue: JobQueueAdapter, _job: Job) -> None:
        assert queue.lease_seconds is not None
        await self.pass_time(queue.lease_seconds + 0.1)
        await queue.requeue_expired()


async def _reject(queue: JobQueueAdapter, job: Job) -> None:
    assert await queue.reject(job.id, error_message="failed")


async def _release(queue: JobQueueAdapter, job: Job) -> None:
    assert await queue.release(job.id)


async def _close(queue: JobQueueAdapter, _job: Job) -> None:
    await queue.close()
    await queue.initialize()
