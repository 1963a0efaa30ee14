import asyncio
from typing import Any

import pytest

from portico.kits.job import Context, JobService, job
from portico.ports.job import Job, JobStatus
from portico.testing import FakeClock
from tests.unit.kits.job.support import StartWorker

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("order", [(1, 5, 3), (5, 3, 1), (3, 1, 5)])
async def test_each_handler_has_its_own_time(
    start_worker: StartWorker, service: JobService, clock: FakeClock, order: tuple[int, ...]
) -> None:
    ended: list[tuple[str, float]] = []
    begun = clock.monotonic()

    async def endless(ctx: Context) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append((ctx.job.job_type, clock.monotonic() - begun))

    handlers = [job(str(seconds), timeout_seconds=seconds, max_retries=0)(endless) for seconds in order]
    for handler in handlers:
        await service.create_job(handler.job_type, {}, max_retries=0)
    await start_worker(*handlers)
    await clock.advance(10)

    assert ended == [("1", 1), ("3", 3), ("5", 5)]


async def test_a_handler_that_begins_later_is_timed_from_its_beginning(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    @job("endless", timeout_seconds=2)
    async def endless() -> None:
        await asyncio.Event().wait()

    await start_worker(endless)
    await clock.advance(100)
    created = await service.create_job("endless", {}, max_retries=0)
    await clock.advance(1.9)
    assert (await _found(service, created)).status is JobStatus.RUNNING
    await clock.advance(0.2)

    assert (await _found(service, created)).error_message == "TimeoutError: timed out after 2 s"


async def test_a_handler_that_ends_well_after_its_time_has_ended_well(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    @job("cleans_up", timeout_seconds=2)
    async def cleans_up() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "saved what there was"
        return "never"

    created = await service.create_job("cleans_up", {})
    await start_worker(cleans_up)
    await clock.advance(2.1)

    found = await _found(service, created)
    assert (found.status, found.result) == (JobStatus.COMPLETED, {"value": "saved what there was"})


async def test_a_time_that_is_over_touches_no_later_run_of_the_same_runner(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    @job("short", timeout_seconds=2)
    async def short() -> None:
        await clock.sleep(1)

    @job("long")
    async def long() -> None:
        await clock.sleep(10)

    await service.create_job("short", {})
    created = await service.create_job("long", {})
    await start_worker(short, long, concurrency=1)
    await clock.advance(12)

    found = await _found(service, created)
    assert (found.status, found.retry_count) == (JobStatus.COMPLETED, 0)


async def _found(service: JobService, created: Job) -> Job:
    found: Any = await service.get_job(created.id)
    assert isinstance(found, Job)
    return found
