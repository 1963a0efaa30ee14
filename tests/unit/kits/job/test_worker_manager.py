import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest
from typing_extensions import override

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.exceptions import ConfigurationError, ConflictError
from portico.kits.job import Context, JobService, RetryPolicy, WorkerManager, job
from portico.ports.job import Job, JobResult, JobStatus
from portico.ports.job_handler import JobHandler
from portico.testing import FakeClock
from portico.testing.stress import stress_start_stop
from tests.unit.kits.job.support import StartWorker, events, until

pytestmark = pytest.mark.asyncio
NO_JITTER = RetryPolicy(base_delay=1, jitter=0)


@job("noop")
async def noop() -> None: ...


class Recorder(JobHandler):
    """Fails as it is told, and notes what it saw."""

    def __init__(self, *outcomes: JobResult | Exception) -> None:
        self._outcomes = list(outcomes)
        self.handled: list[Job] = []
        self.failures: list[Exception] = []

    @property
    @override
    def job_type(self) -> str:
        return "recorded"

    @override
    async def handle(self, job: Job) -> JobResult:
        self.handled.append(job)
        outcome = self._outcomes.pop(0) if self._outcomes else JobResult(success=True)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    @override
    async def on_failure(self, job: Job, error: Exception) -> None:
        self.failures.append(error)


async def _get(service: JobService, job: Job) -> Job:
    found = await service.get_job(job.id)
    assert found is not None
    return found


async def test_a_job_is_run_and_completed_with_its_result(
    start_worker: StartWorker, service: JobService, clock: FakeClock, logs: list[Any]
) -> None:
    handler = Recorder(JobResult(success=True, result_data={"n": 1}))
    created = await service.create_job("recorded", {"secret": "hunter2"})

    await start_worker(handler)

    done = await _get(service, created)
    assert (done.status, done.result, done.completed_at) == (JobStatus.COMPLETED, {"n": 1}, clock.now())
    line = next(entry for entry in logs if entry["event"] == "job_completed")
    assert line["log_level"] == "info"
    assert {"job_type", "job_id", "queue", "attempt", "duration_ms"} <= line.keys()
    assert "hunter2" not in str(logs)


async def test_a_job_that_comes_later_is_run_at_once(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    await start_worker(noop)

    created = await service.create_job("noop", {})
    await clock.settle()

    assert (await _get(service, created)).status is JobStatus.COMPLETED


async def test_a_scheduled_job_waits_for_its_time(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    await start_worker(noop)
    created = await service.create_job("noop", {}, scheduled_at=clock.now() + timedelta(seconds=60))

    await clock.advance(59)
    assert (await _get(service, created)).status is JobStatus.SCHEDULED
    await clock.advance(2)

    assert (await _get(service, created)).status is JobStatus.COMPLETED


async def test_no_more_jobs_run_at_once_than_allowed(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    running = most = 0

    @job("slow")
    async def slow() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await clock.sleep(1)
        running -= 1

    for _ in range(9):
        await service.create_job("slow", {})
    await start_worker(slow, concurrency=4)
    await clock.advance(3)

    assert most == 4
    assert (await service.get_job_stats("default")).completed_count == 9


async def test_earlier_queues_go_first(start_worker: StartWorker, service: JobService, clock: FakeClock) -> None:
    handler = Recorder()
    for queue_name in ("low", "high", "low", "high"):
        await service.create_job("recorded", {}, queue_name)

    await start_worker(handler, queues=["high", "low"], concurrency=1)
    await clock.settle()

    assert [job.queue_name for job in handler.handled] == ["high", "high", "low", "low"]


async def test_a_queue_that_is_not_served_is_left_alone(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    created = await service.create_job("noop", {}, "other")

    await start_worker(noop)
    await clock.advance(60)

    assert (await _get(service, created)).status is JobStatus.PENDING


@pytest.mark.parametrize("failure", [RuntimeError("x"), JobResult(success=False, error=RuntimeError("x"))])
async def test_a_failure_is_retried_with_growing_delays_and_told_every_time(
    start_worker: StartWorker,
    service: JobService,
    clock: FakeClock,
    logs: list[Any],
    failure: RuntimeError | JobResult,
) -> None:
    handler = Recorder(failure, failure, failure)
    created = await service.create_job("recorded", {}, max_retries=2)

    await start_worker(handler, retry_policy=NO_JITTER)
    assert (await _get(service, created)).status is JobStatus.RETRYING
    await clock.advance(0.9)
    assert len(handler.handled) == 1
    await clock.advance(0.2)
    assert len(handler.handled) == 2
    await clock.advance(1.8)
    assert len(handler.handled) == 2
    await clock.advance(0.3)

    done = await _get(service, created)
    assert (done.status, done.retry_count, done.error_message) == (JobStatus.DEAD_LETTER, 2, "RuntimeError: x")
    assert [str(error) for error in handler.failures] == ["x", "x", "x"]
    assert events(logs, "job_retrying", "job_dead_lettered") == ["job_retrying", "job_retrying", "job_dead_lettered"]


async def test_a_retry_that_succeeds_ends_well(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    created = await service.create_job("recorded", {})

    await start_worker(Recorder(RuntimeError("x")))
    await clock.advance(2)

    done = await _get(service, created)
    assert (done.status, done.retry_count, done.error_message) == (JobStatus.COMPLETED, 1, None)


async def test_a_job_that_is_retried_at_once_is_not_taken_for_lost(
    start_worker: StartWorker, service: JobService, clock: FakeClock, logs: list[Any]
) -> None:
    created = [await service.create_job("recorded", {}, max_retries=20) for _ in range(5)]

    await start_worker(Recorder(*[RuntimeError("x")] * 100), retry_policy=RetryPolicy(base_delay=0))
    await clock.advance(1)

    assert {(await _get(service, job)).status for job in created} == {JobStatus.COMPLETED}
    assert events(logs, "job_lease_lost", "job_answer_ignored") == []


async def test_a_job_has_its_own_retry_policy(
    start_worker: StartWorker, service: JobService, clock: FakeClock, logs: list[Any]
) -> None:
    @job("fails", retry_policy=RetryPolicy(base_delay=100, jitter=0))
    async def fails() -> None:
        raise RuntimeError

    await service.create_job("fails", {})
    await start_worker(fails, retry_policy=NO_JITTER)

    entry = next(entry for entry in logs if entry["event"] == "job_retrying")
    assert entry["retry_in"] == 100
    assert entry["at"].startswith(f"{__file__}:")
    assert entry["at"].endswith(" fails")


async def test_a_payload_that_does_not_fit_points_at_the_function(
    start_worker: StartWorker, service: JobService, logs: list[Any]
) -> None:
    @job("mail.send")
    async def send(recipient: str) -> None: ...

    await service.create_job("mail.send", {"to": "ada"})
    await start_worker(send)

    [entry] = [entry for entry in logs if entry["event"] == "job_failed"]
    assert entry["at"] == send.place
    assert "payload.recipient: Field required" in entry["error"]


@pytest.mark.parametrize(
    "outcome",
    [
        JobResult(success=False, result_data={"retry_recommended": False}),
        JobResult(success=True, result_data={"not": {"json"}}),
    ],
)
async def test_what_would_not_end_better_fails_at_once(
    start_worker: StartWorker, service: JobService, logs: list[Any], outcome: JobResult
) -> None:
    created = await service.create_job("recorded", {})

    await start_worker(Recorder(outcome))

    done = await _get(service, created)
    assert (done.status, done.retry_count) == (JobStatus.FAILED, 0)
    assert events(logs, "job_failed", "job_retrying") == ["job_failed"]


async def test_a_payload_that_does_not_fit_fails_at_once_without_its_values(
    start_worker: StartWorker, service: JobService, logs: list[Any]
) -> None:
    @job("strict")
    async def strict(n: int) -> None: ...

    created = await service.create_job("strict", {"n": "hunter2"})
    await start_worker(strict)

    done = await _get(service, created)
    assert (done.status, done.retry_count) == (JobStatus.FAILED, 0)
    assert done.error_message is not None
    assert "payload.n" in done.error_message
    assert "hunter2" not in done.error_message + str(logs)


@pytest.mark.parametrize("error", [SystemExit(1), asyncio.CancelledError(), GeneratorExit(), BaseException("x")])
async def test_nothing_a_handler_raises_reaches_the_worker(
    start_worker: StartWorker, service: JobService, clock: FakeClock, error: BaseException
) -> None:
    @job("fatal")
    async def fatal() -> None:
        raise error

    created = await service.create_job("fatal", {}, max_retries=0)
    worker = await start_worker(fatal, noop)
    after = await service.create_job("noop", {})
    await clock.settle()

    assert (await _get(service, created)).status is JobStatus.DEAD_LETTER
    assert (await _get(service, after)).status is JobStatus.COMPLETED
    assert worker.is_running


async def test_what_on_failure_raises_is_logged_and_changes_nothing(
    start_worker: StartWorker, service: JobService, clock: FakeClock, logs: list[Any]
) -> None:
    async def broken(failed: Job, error: Exception) -> None:
        raise KeyError

    @job("fails", on_failure=broken)
    async def fails() -> None:
        raise RuntimeError

    created = await service.create_job("fails", {}, max_retries=0)
    await start_worker(fails)

    assert (await _get(service, created)).status is JobStatus.DEAD_LETTER
    assert events(logs, "job_on_failure_failed") == ["job_on_failure_failed"]


async def test_a_handler_that_takes_too_long_fails_with_the_time_it_had(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    @job("slow", timeout_seconds=5)
    async def slow(ctx: Context) -> None:
        assert ctx.deadline == clock.now() + timedelta(seconds=5)
        await clock.sleep(60)

    created = await service.create_job("slow", {}, max_retries=0)
    await start_worker(slow, handler_timeout_seconds=1)
    await clock.advance(4.9)
    assert (await _get(service, created)).status is JobStatus.RUNNING
    await clock.advance(0.2)

    assert (await _get(service, created)).error_message == "TimeoutError: timed out after 5 s"


async def test_a_handler_within_its_time_leaves_no_timer(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    await start_worker()
    sleepers = clock.sleepers
    await start_worker(noop, queues=["timed"], handler_timeout_seconds=1000)
    per_worker = clock.sleepers - sleepers
    created = await service.create_job("noop", {}, "timed")
    await clock.settle()

    assert (await _get(service, created)).status is JobStatus.COMPLETED
    assert clock.sleepers - sleepers == per_worker


async def test_a_thread_that_takes_too_long_is_told_and_its_job_not_given_away(
    start_worker: StartWorker, service: JobService, clock: FakeClock, logs: list[Any]
) -> None:
    release = threading.Event()

    @job("slow", timeout_seconds=5)
    def slow(ctx: Context) -> None:
        ctx.cancelled.wait(5)
        release.wait(5)

    created = await service.create_job("slow", {}, max_retries=0)
    await start_worker(slow)
    await clock.advance(6)
    assert events(logs, "job_thread_overran") == ["job_thread_overran"]
    assert (await _get(service, created)).status is JobStatus.RUNNING

    release.set()
    await until(lambda: "job_dead_lettered" in events(logs))
    assert (await _get(service, created)).error_message == "TimeoutError: timed out after 5 s"


async def test_sync_handlers_run_beside_each_other(
    start_worker: StartWorker, service: JobService, logs: list[Any]
) -> None:
    together = threading.Barrier(3)

    @job("sync")
    def sync() -> None:
        together.wait(5)

    for _ in range(3):
        await service.create_job("sync", {})
    await start_worker(sync, concurrency=3)

    await until(lambda: len(events(logs, "job_completed")) == 3)


async def test_a_result_that_is_too_large_is_left_out(
    start_worker: StartWorker, service: JobService, logs: list[Any]
) -> None:
    created = await service.create_job("recorded", {})

    await start_worker(Recorder(JobResult(success=True, result_data={"text": "x" * 65_536})))

    done = await _get(service, created)
    assert (done.status, done.result) == (JobStatus.COMPLETED, None)
    assert events(logs, "job_result_too_large", "job_completed") == ["job_result_too_large", "job_completed"]


async def test_a_job_without_a_handler_waits_half_a_minute_and_burns_no_retry(
    start_worker: StartWorker, service: JobService, clock: FakeClock, logs: list[Any]
) -> None:
    created = [await service.create_job("unknown", {}) for _ in range(2)]

    await start_worker(noop)
    waiting = await _get(service, created[0])
    assert (waiting.status, waiting.retry_count) == (JobStatus.PENDING, 0)
    assert len(events(logs, "job_released")) == 2
    await clock.advance(29)
    assert len(events(logs, "job_released")) == 2
    await clock.advance(2)

    assert len(events(logs, "job_released")) == 4
    (missing,) = [line for line in logs if line["event"] == "job_handler_missing"]
    assert missing["hint"].endswith("until a worker of the queue has a handler for them: handlers=[...]")


async def test_a_long_error_is_cut_and_cleaned(start_worker: StartWorker, service: JobService) -> None:
    created = await service.create_job("recorded", {}, max_retries=0)

    await start_worker(Recorder(RuntimeError("\0\ud800" + "x" * 100_000)))

    message = (await _get(service, created)).error_message
    assert message is not None
    assert len(message) <= 1_000
    assert message.startswith("RuntimeError: ?xxx")


async def test_a_worker_cannot_be_stopped_by_a_job_it_would_wait_for(
    start_worker: StartWorker, service: JobService, clock: FakeClock
) -> None:
    workers: list[WorkerManager] = []

    @job("stops")
    async def stops() -> None:
        with pytest.raises(ConflictError):
            await workers[0].stop()

    workers.append(await start_worker(stops))
    created = await service.create_job("stops", {})
    await clock.settle()

    assert (await _get(service, created)).status is JobStatus.COMPLETED
    assert workers[0].is_running


@pytest.mark.parametrize(
    "wrong",
    [
        {"concurrency": 0},
        {"processes": 0},
        {"queues": []},
        {"queues": "default"},
        {"grace_seconds": -1},
        {"handler_timeout_seconds": 0},
    ],
)
async def test_options_that_make_no_sense_are_refused(queue: MemoryJobQueueAdapter, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        WorkerManager(queue, [noop], **wrong)


async def test_a_manager_says_that_it_is_one_process_where_more_were_asked_for(
    start_worker: StartWorker, logs: list[Any]
) -> None:
    await start_worker(noop, processes=2)

    assert [entry["processes"] for entry in logs if entry["event"] == "worker_processes_ignored"] == [2]


async def test_starting_and_stopping_in_any_order_leaves_nothing_behind(
    queue: MemoryJobQueueAdapter, service: JobService
) -> None:
    for _ in range(200):
        await service.create_job("noop", {})
    worker = WorkerManager(queue, [noop], concurrency=3)

    await stress_start_stop(worker)

    stats = await service.get_job_stats("default")
    assert stats.running_count == 0
    assert stats.completed_count + stats.pending_count == 200
