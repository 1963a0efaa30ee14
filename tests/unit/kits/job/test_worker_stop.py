import asyncio
import threading
from typing import Any

import pytest
from typing_extensions import override

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.kits.job import Context, JobService, RetryPolicy, WorkerManager, job
from portico.ports.job import Job, JobStatus
from portico.testing import FakeClock
from tests.unit.kits.job.support import StartWorker, events, until


async def _status(service: JobService, job: Job) -> JobStatus:
    found = await service.get_job(job.id)
    assert found is not None
    return found.status


@pytest.mark.asyncio
async def test_stop_waits_for_running_jobs_and_claims_no_more(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    @job("slow")
    async def slow() -> None:
        await clock.sleep(10)

    first = await service.create_job("slow", {})
    worker = await start_worker(slow, concurrency=1)
    second = await service.create_job("slow", {})
    stopping = asyncio.create_task(worker.stop())
    await clock.advance(9)
    assert not stopping.done()
    await clock.advance(2)
    await stopping

    assert await _status(service, first) is JobStatus.COMPLETED
    assert await _status(service, second) is JobStatus.PENDING
    assert not worker.is_running


@pytest.mark.asyncio
async def test_after_the_grace_a_coroutine_is_cancelled_and_its_job_given_back_unburnt(
    start_worker: StartWorker, service: JobService, clock: FakeClock, logs: list[Any]
) -> None:
    cleaned_up: list[bool] = []

    @job("endless")
    async def endless(ctx: Context) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned_up.append(ctx.cancelled.is_set())

    created = await service.create_job("endless", {})
    worker = await start_worker(endless, grace_seconds=3)
    stopping = asyncio.create_task(worker.stop())
    await clock.advance(2.9)
    assert not stopping.done()
    await clock.advance(0.2)
    await stopping

    found = await service.get_job(created.id)
    assert found is not None
    assert (found.status, found.retry_count, found.started_at) == (JobStatus.PENDING, 0, None)
    assert cleaned_up == [True]
    assert worker.running_jobs == ()
    assert events(logs, "job_retrying", "job_failed", "job_released") == ["job_released"]


@pytest.mark.asyncio
async def test_a_job_given_back_runs_again_after_the_next_start(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    runs: list[int] = []

    @job("twice")
    async def twice() -> None:
        runs.append(1)
        if len(runs) == 1:
            await asyncio.Event().wait()

    created = await service.create_job("twice", {})
    worker = await start_worker(twice, grace_seconds=0)
    stopping = asyncio.create_task(worker.stop())
    await clock.advance(1)
    await stopping
    await worker.start()
    await clock.settle()

    assert await _status(service, created) is JobStatus.COMPLETED
    assert len(runs) == 2


@pytest.mark.asyncio
async def test_a_thread_that_goes_on_keeps_its_lease_and_is_answered_when_it_ends(
    start_worker: StartWorker,
    service: JobService,
    queue: MemoryJobQueueAdapter,
    clock: FakeClock,
    logs: list[Any],
) -> None:
    release = threading.Event()

    @job("stuck")
    def stuck() -> None:
        release.wait(10)

    created = await service.create_job("stuck", {})
    worker = await start_worker(stuck, grace_seconds=1)
    stopping = asyncio.create_task(worker.stop())
    await clock.advance(2)
    await stopping
    assert events(logs, "job_thread_left_running") == ["job_thread_left_running"]

    await clock.advance(600)
    assert await queue.requeue_expired() == 0
    assert await _status(service, created) is JobStatus.RUNNING
    release.set()
    await until(lambda: worker.running_jobs == ())

    assert await _status(service, created) is JobStatus.COMPLETED
    await clock.advance(60)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "worker:left"]


@pytest.mark.asyncio
async def test_a_handler_that_ignores_its_cancellation_does_not_hold_up_the_stop(
    start_worker: StartWorker, service: JobService, clock: FakeClock, logs: list[Any]
) -> None:
    release = asyncio.Event()

    @job("stubborn")
    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    created = await service.create_job("stubborn", {})
    worker = await start_worker(stubborn, grace_seconds=1)
    stopping = asyncio.create_task(worker.stop())
    await clock.advance(10)
    await stopping
    assert events(logs, "job_cancellation_ignored") == ["job_cancellation_ignored"]

    release.set()
    await clock.settle()
    assert await _status(service, created) is JobStatus.COMPLETED


@pytest.mark.asyncio
async def test_a_cancelled_stop_still_gives_the_jobs_back(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    @job("endless")
    async def endless() -> None:
        await asyncio.Event().wait()

    created = await service.create_job("endless", {})
    worker = await start_worker(endless, grace_seconds=5)
    stopping = asyncio.create_task(worker.stop())
    await clock.settle()
    stopping.cancel()
    await clock.advance(10)

    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert await _status(service, created) is JobStatus.PENDING
    assert not worker.is_running


@pytest.mark.asyncio
async def test_a_job_whose_lease_is_lost_is_cancelled_and_not_answered(
    start_worker: StartWorker, service: JobService, clock: FakeClock, logs: list[Any]
) -> None:
    cancelled: list[bool] = []

    class Forgetful(MemoryJobQueueAdapter):
        @override
        async def heartbeat(self) -> frozenset[Any]:
            return frozenset({created.id})

    @job("endless")
    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    queue = Forgetful(clock=clock)
    service = JobService(queue, clock=clock)
    created = await service.create_job("endless", {})
    await start_worker(endless, job_queue=queue)
    await clock.advance(21)

    assert cancelled == [True]
    assert await _status(service, created) is JobStatus.RUNNING
    assert events(logs, "job_lease_lost", "job_released", "job_failed") == ["job_lease_lost"]


@pytest.mark.asyncio
async def test_a_job_claimed_again_while_it_runs_here_is_run_once_at_a_time(
    start_worker: StartWorker, service: JobService, queue: MemoryJobQueueAdapter, clock: FakeClock
) -> None:
    running = most = 0

    @job("endless")
    async def endless() -> None:
        nonlocal running, most
        running += 1
        try:
            await clock.sleep(1)
            most = max(most, running)
            await asyncio.Event().wait()
        finally:
            running -= 1

    created = await service.create_job("endless", {})
    await start_worker(endless)
    assert await queue.release(created.id)
    await clock.advance(5)

    assert (running, most) == (1, 1)


@pytest.mark.asyncio
async def test_a_lease_is_kept_for_as_long_as_the_job_runs(
    start_worker: StartWorker, service: JobService, queue: MemoryJobQueueAdapter, clock: FakeClock
) -> None:
    @job("long")
    async def long() -> None:
        await clock.sleep(3_600)

    created = await service.create_job("long", {})
    await start_worker(long)
    await clock.advance(3_590)
    assert await queue.requeue_expired() == 0
    await clock.advance(20)

    found = await service.get_job(created.id)
    assert found is not None
    assert (found.status, found.crash_count) == (JobStatus.COMPLETED, 0)


@pytest.mark.asyncio
async def test_what_a_dead_worker_held_is_run_by_another(
    start_worker: StartWorker, service: JobService, queue: MemoryJobQueueAdapter, clock: FakeClock, logs: list[Any]
) -> None:
    @job("a")
    async def handler() -> None: ...

    created = await service.create_job("a", {})
    dead = await queue.dequeue("default", timeout=0)
    assert dead is not None
    await clock.advance(61)
    await start_worker(handler)

    found = await service.get_job(created.id)
    assert found is not None
    assert (found.status, found.crash_count, found.retry_count) == (JobStatus.COMPLETED, 1, 0)


@pytest.mark.asyncio
async def test_a_retry_that_is_being_waited_out_is_answered_when_the_worker_stops(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    class Plain(MemoryJobQueueAdapter):
        @property
        @override
        def capabilities(self) -> frozenset[Any]:
            return frozenset()

    @job("fails")
    async def fails() -> None:
        raise RuntimeError

    queue = Plain(clock=clock)
    service = JobService(queue, clock=clock)
    created = await service.create_job("fails", {})
    worker = await start_worker(fails, job_queue=queue, retry_policy=RetryPolicy(base_delay=500, jitter=0))
    assert await _status(service, created) is JobStatus.RUNNING
    await worker.stop()

    assert await _status(service, created) is JobStatus.RETRYING


def test_a_loop_that_ends_without_a_stop_gives_the_jobs_back(queue: MemoryJobQueueAdapter, service: JobService) -> None:
    @job("endless")
    async def endless() -> None:
        await asyncio.Event().wait()

    async def program() -> Job:
        worker = WorkerManager(queue, [endless])
        created = await service.create_job("endless", {})
        await worker.start()
        await until(lambda: len(worker.running_jobs) == 1)
        for _ in range(10):
            await asyncio.sleep(0)
        return created

    created = asyncio.run(program())

    assert asyncio.run(_status(service, created)) is JobStatus.PENDING


def test_a_loop_that_ends_without_a_stop_gives_back_what_was_claimed_ahead(
    queue: MemoryJobQueueAdapter, service: JobService
) -> None:
    @job("either")
    async def either(is_endless: bool) -> None:  # noqa: FBT001 - a member of the payload
        if is_endless:
            await asyncio.Event().wait()

    async def program() -> list[Job]:
        worker = WorkerManager(queue, [either], concurrency=1)
        await worker.start()
        for is_endless in (False, False, True, True, True):
            await service.create_job("either", {"is_endless": is_endless})
        await until(lambda: len(worker.running_jobs) == 3)
        return await service.list_jobs(limit=3)

    created = asyncio.run(program())

    assert [asyncio.run(_status(service, each)) for each in created] == [JobStatus.PENDING] * 3
