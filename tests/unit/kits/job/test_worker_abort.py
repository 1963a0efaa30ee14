import asyncio
import threading
from typing import Any
from uuid import UUID

import pytest
from typing_extensions import override

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.kits.job import Context, JobService, RetryPolicy, job
from portico.ports.job import Job, JobStatus
from portico.testing import FakeClock
from tests.unit.kits.job.support import StartWorker, events, until

pytestmark = pytest.mark.asyncio
CANCELLED = (JobStatus.FAILED, "Job cancelled", 0)


async def _end(service: JobService, job: Job) -> tuple[JobStatus, str | None, int]:
    found = await service.get_job(job.id)
    assert found is not None
    return found.status, found.error_message, found.retry_count


async def test_the_handler_of_an_aborted_job_is_cancelled_and_the_job_ends(
    start_worker: StartWorker, service: JobService, clock: FakeClock, logs: list[Any]
) -> None:
    seen: list[str] = []

    async def on_failure(failed: Job, error: Exception) -> None:
        seen.append("on_failure")

    @job("endless", on_failure=on_failure)
    async def endless(ctx: Context) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append(f"cancelled {ctx.cancelled.is_set()}")
            raise

    created, other = await service.create_job("endless", {}), await service.create_job("endless", {})
    worker = await start_worker(endless)
    assert await service.abort_job(created.id)
    await clock.advance(1.1)

    assert await _end(service, created) == CANCELLED
    assert (await _end(service, other))[0] is JobStatus.RUNNING
    assert seen == ["cancelled True"]
    assert [job.id for job in worker.running_jobs] == [other.id]
    assert events(logs, "job_aborted", "job_failed", "job_released") == ["job_aborted"]


async def test_a_worker_that_waits_for_jobs_hears_at_once(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    @job("endless")
    async def endless() -> None:
        await asyncio.Event().wait()

    created = await service.create_job("endless", {})
    await start_worker(endless, concurrency=2)

    assert await service.abort_job(created.id)
    await clock.settle()

    assert await _end(service, created) == CANCELLED


@pytest.mark.parametrize("ends", ["returns", "fails"])
async def test_what_a_handler_says_after_it_was_told_does_not_count(
    start_worker: StartWorker, service: JobService, clock: FakeClock, ends: str
) -> None:
    @job("stubborn")
    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if ends == "fails":
                raise RuntimeError from None
        return "done"

    created = await service.create_job("stubborn", {})
    await start_worker(stubborn, retry_policy=RetryPolicy(base_delay=0))
    await service.abort_job(created.id)
    await clock.advance(1.1)

    assert await _end(service, created) == CANCELLED


async def test_a_thread_is_told_and_its_job_ends_when_it_does(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    release = threading.Event()
    told = threading.Event()

    @job("thread")
    def thread(ctx: Context) -> None:
        if ctx.cancelled.wait(10):
            told.set()
        release.wait(10)

    created = await service.create_job("thread", {})
    worker = await start_worker(thread)
    await service.abort_job(created.id)
    await clock.advance(1.1)
    await until(told.is_set)
    assert (await _end(service, created))[0] is JobStatus.RUNNING
    release.set()
    await until(lambda: worker.running_jobs == ())

    assert await _end(service, created) == CANCELLED


async def test_a_job_that_was_claimed_ahead_is_aborted_without_being_run(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    runs: list[str] = []

    @job("slow")
    async def slow(name: str) -> None:
        runs.append(name)
        await clock.sleep(0.4 if name == "long" else 0)

    # two that end make the worker claim ahead
    for name in ("a", "b"):
        await service.create_job("slow", {"name": name})
    await start_worker(slow, concurrency=1)
    await clock.advance(1)
    await service.create_job("slow", {"name": "long"})
    ahead = await service.create_job("slow", {"name": "ahead"})
    await clock.settle()
    assert (await _end(service, ahead))[0] is JobStatus.RUNNING

    assert await service.abort_job(ahead.id)
    await clock.advance(0.9)

    assert await _end(service, ahead) == CANCELLED
    assert runs == ["a", "b", "long"]


async def test_a_job_that_completes_before_its_worker_hears_stays_completed(
    start_worker: StartWorker, service: JobService, clock: FakeClock, queue: MemoryJobQueueAdapter
) -> None:
    class Deaf(MemoryJobQueueAdapter):
        @override
        async def abort_requests(self) -> frozenset[UUID]:
            return frozenset()

    @job("short")
    async def short() -> None:
        await clock.sleep(0.5)

    deaf = Deaf(clock=clock)
    service = JobService(deaf, clock=clock)
    created = await service.create_job("short", {})
    await start_worker(short, job_queue=deaf)

    assert await service.abort_job(created.id)
    await clock.advance(1)

    assert (await _end(service, created))[0] is JobStatus.COMPLETED


async def test_an_aborted_job_is_not_given_back_when_the_worker_stops(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    @job("endless")
    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            # still at it when the worker stops
            await clock.sleep(2)

    created = await service.create_job("endless", {})
    worker = await start_worker(endless, grace_seconds=60)
    await service.abort_job(created.id)
    await clock.advance(1.1)
    stopping = asyncio.create_task(worker.stop())
    await clock.advance(3)
    await stopping

    assert await _end(service, created) == CANCELLED


async def test_the_job_of_a_worker_that_died_is_not_run_again_after_an_abort(
    start_worker: StartWorker, service: JobService, queue: MemoryJobQueueAdapter, clock: FakeClock
) -> None:
    @job("a")
    async def handler() -> None: ...

    created = await service.create_job("a", {})
    assert await queue.dequeue("default", timeout=0)
    assert await service.abort_job(created.id)
    await clock.advance(61)
    await start_worker(handler)

    assert await _end(service, created) == CANCELLED
