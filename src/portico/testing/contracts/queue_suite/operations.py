"""What operators do."""

import uuid
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from portico.exceptions import UnsupportedError
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


class Operations(QueueSuite):
    """List, retry, delete, pause, and saying so when that is not possible."""

    @pytest.mark.asyncio
    async def test_what_an_adapter_cannot_do_it_says(self, queue: JobQueueAdapter) -> None:
        calls: dict[QueueCapability, Callable[[], Awaitable[object]]] = {
            QueueCapability.RELEASE: partial(queue.release, uuid.uuid4()),
            QueueCapability.LIST_JOBS: queue.list_jobs,
            QueueCapability.RETRY_JOB: partial(queue.retry_job, uuid.uuid4()),
            QueueCapability.DELETE_JOB: partial(queue.delete_job, uuid.uuid4()),
            QueueCapability.PAUSE: partial(queue.pause_queue, QUEUE),
            QueueCapability.ABORT: partial(queue.request_abort, uuid.uuid4()),
        }
        for capability, call in calls.items():
            if capability in queue.capabilities:
                await call()
                continue
            with pytest.raises(UnsupportedError, match=type(queue).__name__):
                await call()

    @pytest.mark.asyncio
    async def test_jobs_are_listed_newest_first_in_pages(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.LIST_JOBS)
        jobs = await queue.enqueue_many([new_job(payload={"n": number}) for number in range(7)])
        newest_first = [job.id for job in reversed(jobs)]
        listed, after = [], None
        while page := await queue.list_jobs(limit=3, after=after):
            listed += [job.id for job in page]
            after = page[-1].id
        assert listed == newest_first

    @pytest.mark.asyncio
    async def test_a_list_may_be_narrowed(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.LIST_JOBS)
        failed = await job_in(queue, JobStatus.FAILED)
        typed = await queue.enqueue(new_job(job_type="suite.other"))
        other = await queue.enqueue(new_job(queue_name="other", job_type="suite.other"))
        assert [job.id for job in await queue.list_jobs(status=JobStatus.FAILED)] == [failed.id]
        assert [job.id for job in await queue.list_jobs(queue_name="other")] == [other.id]
        assert [job.id for job in await queue.list_jobs(job_type="suite.other")] == [other.id, typed.id]
        assert await queue.list_jobs(queue_name="other", status=JobStatus.FAILED) == []
        assert await queue.list_jobs(status=JobStatus.FAILED) == [await stored(queue, failed)]

    @pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.DEAD_LETTER])
    @pytest.mark.asyncio
    async def test_a_failed_job_can_be_asked_for_again(self, queue: JobQueueAdapter, status: JobStatus) -> None:
        require(queue, QueueCapability.RETRY_JOB)
        job = await job_in(queue, status)
        assert await queue.retry_job(job.id)
        found = await stored(queue, job)
        assert (found.status, found.retry_count, found.crash_count) == (JobStatus.PENDING, 0, 0)
        assert (found.failed_at, found.error_message) == (None, None)
        assert (await claim(queue)).id == job.id

    @pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.RUNNING, JobStatus.RETRYING, JobStatus.COMPLETED])
    @pytest.mark.asyncio
    async def test_no_other_job_can_be_asked_for_again(self, queue: JobQueueAdapter, status: JobStatus) -> None:
        require(queue, QueueCapability.RETRY_JOB)
        job = await job_in(queue, status)
        assert not await queue.retry_job(job.id)
        assert not await queue.retry_job(uuid.uuid4())
        assert await queue.get_job(job.id) == job

    @pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.SCHEDULED])
    @pytest.mark.asyncio
    async def test_any_job_but_a_running_one_can_be_deleted(self, queue: JobQueueAdapter, status: JobStatus) -> None:
        require(queue, QueueCapability.DELETE_JOB)
        job = await job_in(queue, status)
        deleted = await queue.delete_job(job.id)
        assert deleted is (status is not JobStatus.RUNNING)
        assert (await queue.get_job(job.id) is None) is deleted
        assert not await queue.delete_job(uuid.uuid4())
        assert await queue.dequeue(QUEUE, timeout=0) is None

    @pytest.mark.asyncio
    async def test_a_paused_queue_takes_jobs_and_gives_none(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.PAUSE)
        await queue.pause_queue(QUEUE)
        await queue.pause_queue(QUEUE)
        job = await queue.enqueue(new_job())
        other = await queue.enqueue(new_job(queue_name="other"))
        assert await queue.dequeue(QUEUE, timeout=0) is None
        assert (await claim(queue, "other")).id == other.id
        await queue.resume_queue(QUEUE)
        await queue.resume_queue(QUEUE)
        assert (await claim(queue)).id == job.id

    @pytest.mark.asyncio
    async def test_a_list_may_be_searched_for_a_part_of_the_error(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.LIST_JOBS)
        failed = [await queue.enqueue(new_job()) for _ in range(3)]
        for message in ("timeout of 50% at shop_1", "Timeout", "timeout of 500 at shopX1"):
            await queue.reject((await claim(queue)).id, requeue=False, error_message=message)
        await queue.enqueue(new_job())
        found = {
            text: await queue.list_jobs(error_contains=text) for text in ("timeout", "50%", "shop_1", "'", "nothing")
        }
        assert [[job.id for job in jobs] for jobs in found.values()] == [
            [failed[2].id, failed[0].id],
            [failed[0].id],
            [failed[0].id],
            [],
            [],
        ]

    @pytest.mark.asyncio
    async def test_a_list_may_be_narrowed_to_a_time(self, queue: JobQueueAdapter) -> None:
        require(queue, QueueCapability.LIST_JOBS)
        jobs = [await queue.enqueue(new_job(created_at=self.soon(seconds))) for seconds in (-30, -20, -10)]
        newest_first = [job.id for job in reversed(jobs)]
        middle = jobs[1].created_at
        assert [job.id for job in await queue.list_jobs(created_after=middle)] == newest_first[:2]
        assert [job.id for job in await queue.list_jobs(created_before=middle)] == newest_first[2:]
        both = await queue.list_jobs(created_after=middle, created_before=jobs[2].created_at)
        assert [job.id for job in both] == newest_first[1:2]
        page = await queue.list_jobs(created_after=middle, limit=1, after=newest_first[0])
        assert [job.id for job in page] == newest_first[1:2]
