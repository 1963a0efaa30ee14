"""What a worker claims ahead, and how its acknowledgements travel."""

import asyncio
import contextvars
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest
from typing_extensions import override

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.exceptions import DatabaseError, ValidationError
from portico.kits.job import JobService, job
from portico.kits.job.acknowledgements import MAX_BATCH, MAX_UNHEARD
from portico.ports.job import Job, JobStatus
from portico.ports.job_creator import JobRequest
from portico.ports.job_limits import ConcurrencyLimit
from portico.ports.job_queue import QueueCapability
from portico.testing import FakeClock
from tests.unit.kits.job.support import StartWorker, events

pytestmark = pytest.mark.asyncio

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="nothing")


@job("noop")
async def noop() -> None: ...


class SlowQueue(MemoryJobQueueAdapter):
    """Hears acknowledgements while `is_open`, and notes how many come together."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock=clock)
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.batches: list[int] = []
        self.problem: Exception | None = None

    @override
    async def acknowledge_many(
        self, job_ids: Sequence[UUID], results: Mapping[UUID, dict[str, Any]] | None = None
    ) -> list[bool]:
        self.batches.append(len(job_ids))
        await self.is_open.wait()
        if self.problem is not None:
            raise self.problem
        if results and any("refused" in result for result in results.values()):
            message = "NUL"
            raise ValidationError(message)
        return await super().acknowledge_many(job_ids, results)


async def _counts(service: JobService) -> tuple[int, int, int]:
    stats = await service.get_job_stats("default")
    return stats.pending_count, stats.running_count, stats.completed_count


async def _create(service: JobService, count: int, **payload: Any) -> list[Job]:
    return [await service.create_job("noop", payload) for _ in range(count)]


async def test_acknowledgements_that_come_while_one_is_under_way_go_together(
    start_worker: StartWorker, clock: FakeClock
) -> None:
    queue = SlowQueue(clock)
    service = JobService(queue, clock=clock)
    queue.is_open.clear()
    await start_worker(noop, job_queue=queue, concurrency=10)
    for _ in range(4):
        await _create(service, 10)
        await clock.settle()
    assert sum(queue.batches) < 40
    assert len(queue.batches) == 1

    queue.is_open.set()
    await clock.settle()

    assert await _counts(service) == (0, 0, 40)
    assert len(queue.batches) == 2


async def test_a_store_that_is_behind_stops_the_claims_but_not_the_runs(
    start_worker: StartWorker, clock: FakeClock
) -> None:
    queue = SlowQueue(clock)
    service = JobService(queue, clock=clock)
    queue.is_open.clear()
    worker = await start_worker(noop, job_queue=queue, concurrency=100)
    await _create(service, 2 * MAX_UNHEARD)
    await clock.settle()

    _, running, _ = await _counts(service)
    assert MAX_UNHEARD <= running <= MAX_UNHEARD + 500
    assert len(worker.running_jobs) == running
    queue.is_open.set()
    for _ in range(10):
        await clock.settle()

    assert await _counts(service) == (0, 0, 2 * MAX_UNHEARD)
    assert max(queue.batches) == MAX_BATCH


async def test_a_result_that_the_store_refuses_holds_up_nobody(
    start_worker: StartWorker, clock: FakeClock, logs: list[Any]
) -> None:
    @job("answers")
    async def answers(name: str) -> dict[str, int]:
        return {name: 1}

    queue = SlowQueue(clock)
    service = JobService(queue, clock=clock)
    for name in ("a", "refused", "b"):
        await service.create_job("answers", {"name": name})
    await start_worker(answers, job_queue=queue)

    assert sorted(str(job.result) for job in await service.list_jobs()) == ["None", "{'a': 1}", "{'b': 1}"]
    assert await _counts(service) == (0, 0, 3)
    assert events(logs, "job_result_refused", "job_store_unavailable") == ["job_result_refused"]


async def test_a_batch_is_sent_again_when_the_store_failed(
    start_worker: StartWorker, clock: FakeClock, logs: list[Any]
) -> None:
    queue = SlowQueue(clock)
    service = JobService(queue, clock=clock)
    queue.problem = DatabaseError("away")
    await _create(service, 5)
    await start_worker(noop, job_queue=queue)
    await clock.advance(3)
    assert await _counts(service) == (0, 5, 0)

    queue.problem = None
    await clock.advance(6)

    assert await _counts(service) == (0, 0, 5)
    assert set(queue.batches) == {5}
    assert len(events(logs, "job_completed")) == 5
    assert "job_answer_ignored" not in events(logs)


async def test_a_defect_of_an_adapter_costs_one_answer_at_most(start_worker: StartWorker, clock: FakeClock) -> None:
    class Short(SlowQueue):
        @override
        async def acknowledge_many(
            self, job_ids: Sequence[UUID], results: Mapping[UUID, dict[str, Any]] | None = None
        ) -> list[bool]:
            heard = await super().acknowledge_many(job_ids, results)
            return heard[1:] if len(heard) > 1 else heard

    queue = Short(clock)
    service = JobService(queue, clock=clock)
    await _create(service, 5)
    worker = await start_worker(noop, job_queue=queue)

    assert await _counts(service) == (0, 0, 5)
    assert worker.running_jobs == ()


async def test_what_was_claimed_ahead_goes_back_when_no_runner_gets_free(
    start_worker: StartWorker, service: JobService, clock: FakeClock, logs: list[Any]
) -> None:
    @job("hours")
    async def hours() -> None:
        await clock.sleep(3_600)

    await _create(service, 3)
    worker = await start_worker(noop, hours, concurrency=1)
    await service.create_job("hours", {})
    ahead = await _create(service, 2)
    await clock.settle()
    assert await _counts(service) == (0, 3, 3)

    await clock.advance(2.1)

    assert await _counts(service) == (2, 1, 3)
    for created in ahead:
        found = await service.get_job(created.id)
        assert found is not None
        assert (found.status, found.retry_count, found.crash_count) == (JobStatus.PENDING, 0, 0)
    # and is not claimed ahead again
    released = len(events(logs, "job_released"))
    await clock.advance(60)
    assert len(events(logs, "job_released")) == released == 2
    assert len(worker.running_jobs) == 1


async def test_what_was_claimed_ahead_goes_back_at_once_when_the_worker_stops(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    @job("minute")
    async def minute() -> None:
        await clock.sleep(20)

    await _create(service, 3)
    worker = await start_worker(noop, minute, concurrency=1)
    await service.create_job("minute", {})
    await _create(service, 2)
    await clock.settle()
    stopping = asyncio.create_task(worker.stop())
    await clock.settle()

    assert await _counts(service) == (2, 1, 3)
    await clock.advance(21)
    await stopping
    assert await _counts(service) == (2, 0, 4)


@pytest.mark.parametrize("limited_queue", ["default", "elsewhere"])
async def test_under_a_limit_nothing_is_claimed_ahead(
    start_worker: StartWorker, clock: FakeClock, limited_queue: str
) -> None:
    @job("minute")
    async def minute() -> None:
        await clock.sleep(60)

    queue = MemoryJobQueueAdapter(clock=clock, limits=[ConcurrencyLimit(4, queue_name=limited_queue)])
    service = JobService(queue, clock=clock)
    await _create(service, 20)
    await start_worker(noop, minute, job_queue=queue, concurrency=1)
    await service.create_jobs([JobRequest(job_type="minute", payload={}) for _ in range(5)])
    await clock.settle()

    # a job that only waits here would be one that another worker cannot run
    running = (await service.get_job_stats("default")).running_count
    assert running == 1 if limited_queue == "default" else running > 1


async def test_a_queue_that_cannot_take_jobs_back_is_asked_for_no_more_than_can_run(
    start_worker: StartWorker, clock: FakeClock
) -> None:
    class Keeps(MemoryJobQueueAdapter):
        @property
        @override
        def capabilities(self) -> frozenset[QueueCapability]:
            return super().capabilities - {QueueCapability.RELEASE}

    @job("minute")
    async def minute() -> None:
        await clock.sleep(20)

    queue = Keeps(clock=clock)
    service = JobService(queue, clock=clock)
    await _create(service, 3)
    await start_worker(noop, minute, job_queue=queue, concurrency=2)
    for _ in range(5):
        await service.create_job("minute", {})
    await clock.settle()

    assert await _counts(service) == (3, 2, 3)


async def test_jobs_begin_in_their_order(start_worker: StartWorker, service: JobService, clock: FakeClock) -> None:
    begun: list[int] = []

    @job("numbered")
    async def numbered(number: int) -> None:
        begun.append(number)
        await clock.sleep(1 if number % 3 else 0)

    for number in range(60):
        await service.create_job("numbered", {"number": number})
    await start_worker(numbered, concurrency=20)
    await clock.advance(10)

    assert begun == list(range(60))


async def test_a_job_sees_nothing_of_the_context_of_another(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    seen: list[str] = []

    @job("sets")
    async def sets() -> None:
        seen.append(VARIABLE.get())
        VARIABLE.set("mine")
        await clock.sleep(0.1)
        seen.append(VARIABLE.get())

    for _ in range(6):
        await service.create_job("sets", {})
    await start_worker(sets, concurrency=2)
    await clock.advance(5)

    assert (seen.count("nothing"), seen.count("mine")) == (6, 6)


async def test_a_handler_that_cancels_its_own_task_costs_a_release_and_no_worker(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    runs: list[int] = []

    @job("cancels")
    async def cancels() -> None:
        runs.append(1)
        if len(runs) == 1:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        await clock.sleep(0)

    created = await service.create_job("cancels", {})
    await _create(service, 3)
    await start_worker(cancels, noop, concurrency=1)
    await clock.advance(2)

    found = await service.get_job(created.id)
    assert found is not None
    assert (found.status, found.retry_count) == (JobStatus.COMPLETED, 0)
    assert await _counts(service) == (0, 0, 4)


async def test_finished_jobs_are_pruned_every_minute(start_worker: StartWorker, clock: FakeClock) -> None:
    class Pruned(MemoryJobQueueAdapter):
        times = 0

        @override
        async def prune(self) -> int:
            self.times += 1
            return 0

    queue = Pruned(clock=clock)
    await start_worker(noop, job_queue=queue)
    await clock.advance(50)
    assert queue.times == 0
    await clock.advance(560)

    assert 9 <= queue.times <= 11


async def test_a_loss_is_heard_by_the_worker_that_has_the_job(
    start_worker: StartWorker, service: JobService, queue: MemoryJobQueueAdapter, clock: FakeClock, logs: list[Any]
) -> None:
    cancelled: list[bool] = []

    @job("endless")
    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    first = await start_worker(endless, name="first", queues=["a"])
    await start_worker(endless, name="second", queues=["b"])
    created = await service.create_job("endless", {}, "a")
    await clock.settle()
    assert [job.id for job in first.running_jobs] == [created.id]
    # it is given away behind the adapter's back, and whoever beats first hears it
    await queue.pause_queue("a")
    await queue._jobs.release(queue._claims.holding(created.id), None)
    await queue.heartbeat()
    await clock.settle()

    assert cancelled == [True]
    assert first.running_jobs == ()
    assert events(logs, "job_lease_lost") == ["job_lease_lost"]


async def test_a_job_that_another_worker_on_the_same_adapter_claims_is_left_to_it(
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
    await start_worker(endless, name="first", concurrency=1)
    second = await start_worker(endless, name="second", concurrency=1)
    await queue._jobs.release(queue._claims.holding(created.id), None)
    await clock.advance(2)

    assert [job.id for job in second.running_jobs] == [created.id]
    assert (running, most) == (1, 1)


async def test_many_jobs_are_claimed_in_portions(start_worker: StartWorker, clock: FakeClock) -> None:
    class Noting(MemoryJobQueueAdapter):
        most = 0

        @override
        async def dequeue_many(self, queue_name: str, limit: int, timeout: float = 30) -> list[Job]:
            self.most = max(self.most, limit)
            return await super().dequeue_many(queue_name, limit, timeout)

    queue = Noting(clock=clock)
    service = JobService(queue, clock=clock)
    await _create(service, 1_500)
    await start_worker(noop, job_queue=queue, concurrency=1_000)
    for _ in range(5):
        await clock.settle()

    assert (queue.most, await _counts(service)) == (500, (0, 0, 1_500))
