import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from typing_extensions import override

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.exceptions import DatabaseError
from portico.kits.job import JobService, RetryPolicy, WorkerManager, job
from portico.ports.job import Job, JobStatus, QueueStats
from portico.ports.job_queue import JobQueueAdapter
from portico.testing import FakeClock
from tests.unit.kits.job.support import StartWorker, events

pytestmark = pytest.mark.asyncio


@job("noop")
async def noop() -> None: ...


@job("fails")
async def fails() -> None:
    raise RuntimeError


class FailingQueue(MemoryJobQueueAdapter):
    """Fails the named calls as often as it is told."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock=clock)
        self.failing: Counter[str] = Counter()

    def _fail(self, name: str) -> None:
        if self.failing[name] > 0:
            self.failing[name] -= 1
            message = "the disk is full"
            raise DatabaseError(message)

    @override
    async def dequeue_many(self, queue_name: str, limit: int, timeout: float = 30) -> list[Job]:
        self._fail("dequeue_many")
        return await super().dequeue_many(queue_name, limit, timeout)

    @override
    async def acknowledge(self, job_id: UUID, result: dict[str, Any] | None = None) -> bool:
        self._fail("acknowledge")
        return await super().acknowledge(job_id, result)

    @override
    async def reject(
        self,
        job_id: UUID,
        requeue: bool = True,
        error_message: str | None = None,
        *,
        retry_at: datetime | None = None,
    ) -> bool:
        self._fail("reject")
        return await super().reject(job_id, requeue, error_message, retry_at=retry_at)

    @override
    async def heartbeat(self) -> frozenset[UUID]:
        self._fail("heartbeat")
        return await super().heartbeat()


class PlainQueue(JobQueueAdapter):
    """Only the nine methods that every adapter has."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._inner = MemoryJobQueueAdapter(clock=clock)

    @override
    async def wait_for_jobs(self, queue_names: Sequence[str], timeout: float) -> None:
        # as the port's default, but not in real time
        await self._clock.sleep(0.2)

    @override
    async def enqueue(self, job: Job) -> Job:
        return await self._inner.enqueue(job)

    @override
    async def dequeue(self, queue_name: str, timeout: float = 30) -> Job | None:
        return await self._inner.dequeue(queue_name, timeout)

    @override
    async def acknowledge(self, job_id: UUID, result: dict[str, Any] | None = None) -> bool:
        return await self._inner.acknowledge(job_id, result)

    @override
    async def reject(self, job_id: UUID, requeue: bool = True, error_message: str | None = None) -> bool:
        return await self._inner.reject(job_id, requeue, error_message)

    @override
    async def get_job(self, job_id: UUID) -> Job | None:
        return await self._inner.get_job(job_id)

    @override
    async def cancel_job(self, job_id: UUID) -> bool:
        return await self._inner.cancel_job(job_id)

    @override
    async def get_queue_stats(self, queue_name: str) -> QueueStats:
        return await self._inner.get_queue_stats(queue_name)

    @override
    async def initialize(self) -> None:
        await self._inner.initialize()

    @override
    async def close(self) -> None:
        await self._inner.close()


async def _found(queue: JobQueueAdapter, job: Job) -> Job:
    found = await queue.get_job(job.id)
    assert found is not None
    return found


async def test_a_store_that_is_away_is_told_of_once_and_waited_for(
    start_worker: StartWorker, clock: FakeClock, logs: list[Any]
) -> None:
    queue = FailingQueue(clock)
    queue.failing["dequeue_many"] = 5
    created = await JobService(queue, clock=clock).create_job("noop", {})

    worker = await start_worker(noop, job_queue=queue)
    assert worker.is_running
    await clock.advance(30)

    assert (await _found(queue, created)).status is JobStatus.COMPLETED
    told = events(logs, "job_store_unavailable", "job_store_recovered", "service_task_failed")
    assert told == ["job_store_unavailable", "job_store_recovered"]


async def test_a_finished_job_is_acknowledged_as_often_as_it_takes(
    start_worker: StartWorker, clock: FakeClock, logs: list[Any]
) -> None:
    queue = FailingQueue(clock)
    queue.failing["acknowledge"] = 20
    created = await JobService(queue, clock=clock).create_job("noop", {})

    await start_worker(noop, job_queue=queue)
    assert (await _found(queue, created)).status is JobStatus.RUNNING
    await clock.advance(200)

    found = await _found(queue, created)
    assert (found.status, found.crash_count) == (JobStatus.COMPLETED, 0)
    assert events(logs, "job_started") == ["job_started"]


async def test_a_failed_job_is_rejected_as_often_as_it_takes(start_worker: StartWorker, clock: FakeClock) -> None:
    queue = FailingQueue(clock)
    queue.failing["reject"] = 3
    created = await JobService(queue, clock=clock).create_job("fails", {}, max_retries=0)

    await start_worker(fails, job_queue=queue)
    await clock.advance(10)

    assert (await _found(queue, created)).status is JobStatus.DEAD_LETTER


async def test_an_answer_is_given_up_when_the_lease_is_lost(
    start_worker: StartWorker, clock: FakeClock, logs: list[Any]
) -> None:
    queue = FailingQueue(clock)
    queue.failing.update(acknowledge=10_000, heartbeat=10_000)
    created = await JobService(queue, clock=clock).create_job("noop", {})

    await start_worker(noop, job_queue=queue)
    await clock.advance(61)
    queue.failing.clear()
    await clock.advance(30)

    found = await _found(queue, created)
    assert (found.status, found.crash_count) == (JobStatus.COMPLETED, 1)
    assert events(logs, "job_lease_lost") == ["job_lease_lost"]
    assert len(events(logs, "job_completed")) == 1


async def test_a_missed_heartbeat_is_made_up_for_before_the_lease_ends(
    start_worker: StartWorker, clock: FakeClock
) -> None:
    @job("long")
    async def long() -> None:
        await clock.sleep(100)

    queue = FailingQueue(clock)
    queue.failing["heartbeat"] = 1
    created = await JobService(queue, clock=clock).create_job("long", {})
    await start_worker(long, job_queue=queue)
    await clock.advance(110)

    found = await _found(queue, created)
    assert (found.status, found.crash_count) == (JobStatus.COMPLETED, 0)


async def test_a_store_that_does_not_answer_while_stopping_does_not_hold_up_the_stop(
    start_worker: StartWorker, clock: FakeClock, logs: list[Any]
) -> None:
    queue = FailingQueue(clock)
    queue.failing["acknowledge"] = 10_000
    created = await JobService(queue, clock=clock).create_job("noop", {})
    worker = await start_worker(noop, job_queue=queue, grace_seconds=1)
    stopping = asyncio.create_task(worker.stop())
    await clock.advance(10)
    await stopping
    assert events(logs, "job_left_unanswered") == ["job_left_unanswered"]

    queue.failing.clear()
    await clock.advance(10)
    assert (await _found(queue, created)).status is JobStatus.COMPLETED


async def test_a_store_that_cannot_be_opened_is_an_error_of_start(clock: FakeClock) -> None:
    class Closed(MemoryJobQueueAdapter):
        @override
        async def initialize(self) -> None:
            message = "no such file"
            raise DatabaseError(message)

    worker = WorkerManager(Closed(), [noop], clock=clock)

    with pytest.raises(DatabaseError):
        await worker.start()

    assert not worker.is_running
    await worker.stop()


async def test_a_queue_with_nine_methods_is_enough(start_worker: StartWorker, clock: FakeClock) -> None:
    queue = PlainQueue(clock)
    service = JobService(queue, clock=clock)
    done, failing = await service.create_job("noop", {}), await service.create_job("fails", {}, max_retries=1)

    await start_worker(noop, fails, job_queue=queue, retry_policy=RetryPolicy(base_delay=10, jitter=0))

    assert (await _found(queue, done)).status is JobStatus.COMPLETED
    assert (await _found(queue, failing)).status is JobStatus.RUNNING
    await clock.advance(11)
    assert (await _found(queue, failing)).status is JobStatus.DEAD_LETTER


async def test_a_delay_that_is_waited_out_takes_no_slot(start_worker: StartWorker, clock: FakeClock) -> None:
    queue = PlainQueue(clock)
    service = JobService(queue, clock=clock)
    failing, done = await service.create_job("fails", {}), await service.create_job("noop", {})

    await start_worker(noop, fails, job_queue=queue, concurrency=1, retry_policy=RetryPolicy(base_delay=1000, jitter=0))

    assert (await _found(queue, failing)).status is JobStatus.RUNNING
    assert (await _found(queue, done)).status is JobStatus.COMPLETED


async def test_a_queue_that_cannot_release_is_given_jobs_back_as_failures(
    start_worker: StartWorker, clock: FakeClock
) -> None:
    @job("endless")
    async def endless() -> None:
        await asyncio.Event().wait()

    queue = PlainQueue(clock)
    created = await JobService(queue, clock=clock).create_job("endless", {})
    worker = await start_worker(endless, job_queue=queue, grace_seconds=0)
    stopping = asyncio.create_task(worker.stop())
    await clock.advance(1)
    await stopping

    found = await _found(queue, created)
    assert (found.status, found.retry_count) == (JobStatus.RETRYING, 1)
