"""A queue adapter held against the one in memory, by whatever sequence of calls hypothesis thinks of."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from typing_extensions import override

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.exceptions import PorticoError
from portico.ports.job import Job, JobStatus
from portico.ports.job_queue import JobQueueAdapter, delays_retries
from portico.ports.retention import Retention
from portico.testing.clock import FakeClock

_QUEUES = ("one", "two")
_KEPT = Retention(completed=timedelta(hours=1), failed=timedelta(hours=2))
_Call = Callable[[JobQueueAdapter], Awaitable[Any]]


@dataclass(frozen=True)
class _Raised:
    kind: type[Exception]


class QueueModel(RuleBasedStateMachine):
    """Subclass, give `make_queue`, and run it with `hypothesis.stateful.run_state_machine_as_test`.

    Every call goes to the adapter and to a `MemoryJobQueueAdapter`; answers must be equal, and so must be, after each
    call, all jobs, all lists and all counts. The adapter can what the one in memory can; hypothesis must be installed.
    """

    job_ids: Bundle[uuid.UUID] = Bundle("job_ids")

    def make_queue(self, **options: Any) -> JobQueueAdapter:
        """Return a new adapter on an empty store, made with these `options`, among them ``clock``."""
        raise NotImplementedError

    def reopen_queue(self, queue: JobQueueAdapter) -> JobQueueAdapter:
        """Return an adapter on the store of this one, which was closed: the same one, unless this is overridden."""
        return queue

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))
        self._ids: list[uuid.UUID] = []

    @initialize()
    def open_both(self) -> None:
        options: dict[str, Any] = {
            "clock": self._clock,
            "lease_seconds": 60,
            "idempotency_seconds": 7_200,
            "max_crashes": 1,
            "retention": _KEPT,
        }
        self._model = MemoryJobQueueAdapter(**options)
        self._queue = self.make_queue(**options)
        self._both(lambda queue: queue.initialize())

    @rule(
        target=job_ids,
        queue_name=st.sampled_from(_QUEUES),
        priority=st.integers(-1, 1),
        max_retries=st.integers(0, 1),
        delay=st.none() | st.sampled_from([-5, 0, 30, 3_600]),
        keys=st.fixed_dictionaries(
            {}, optional={"idempotency_key": st.sampled_from("ab"), "unique_key": st.sampled_from("ab")}
        ),
    )
    def enqueue(
        self, queue_name: str, priority: int, max_retries: int, delay: int | None, keys: dict[str, str]
    ) -> uuid.UUID:
        job = Job(
            id=self._new_id(),
            queue_name=queue_name,
            job_type="model.work",
            payload={"n": len(self._ids)},
            priority=priority,
            max_retries=max_retries,
            scheduled_at=None if delay is None else self._clock.now() + timedelta(seconds=delay),
            metadata=dict(keys),
        )
        stored: list[Job] = self._both(lambda queue: _enqueue(queue, [job]))
        return stored[0].id

    @rule(target=job_ids, queue_name=st.sampled_from(_QUEUES), keys=st.lists(st.sampled_from("ab") | st.none()))
    def enqueue_many(self, queue_name: str, keys: list[str | None]) -> Any:
        jobs = [
            Job(self._new_id(), queue_name, "model.batch", {}, metadata={} if key is None else {"idempotency_key": key})
            for key in keys
        ]
        stored: list[Job] = self._both(lambda queue: _enqueue(queue, jobs))
        return multiple(*(job.id for job in stored))

    @rule(queue_name=st.sampled_from(_QUEUES), limit=st.integers(1, 4))
    def dequeue_many(self, queue_name: str, limit: int) -> None:
        self._both(lambda queue: queue.dequeue_many(queue_name, limit, timeout=0))

    @rule(
        queue_name=st.sampled_from(_QUEUES),
        is_released=st.booleans(),
        delay=st.none() | st.sampled_from([0, 30]),
        seconds=st.sampled_from([1, 31]),
    )
    def run_and_come_back(self, queue_name: str, is_released: bool, delay: int | None, seconds: int) -> None:  # noqa: FBT001 - drawn by name
        """Claim, give back and claim again: rules drawn one by one seldom come in this order."""
        for job in self._both(lambda queue: queue.dequeue_many(queue_name, 2, timeout=0)):
            if is_released:
                self.release(job.id, delay)
            else:
                self.reject(job.id, requeue=True, delay=delay)
        self.let_time_pass(seconds)
        self.dequeue_many(queue_name, 4)

    @rule(job_id=job_ids, result=st.none() | st.just({"done": True}))
    def acknowledge(self, job_id: uuid.UUID, result: dict[str, Any] | None) -> None:
        self._both(lambda queue: queue.acknowledge(job_id, result))

    @rule(job_ids=st.lists(job_ids, max_size=5))
    def acknowledge_many(self, job_ids: list[uuid.UUID]) -> None:
        self._both(lambda queue: queue.acknowledge_many(job_ids))

    @rule(job_id=job_ids, requeue=st.booleans(), delay=st.none() | st.sampled_from([0, 30]))
    def reject(self, job_id: uuid.UUID, requeue: bool, delay: int | None) -> None:  # noqa: FBT001 - the port's name
        retry_at = None if delay is None else self._clock.now() + timedelta(seconds=delay)

        async def call(queue: JobQueueAdapter) -> bool:
            assert delays_retries(queue)
            return await queue.reject(job_id, requeue, "failed", retry_at=retry_at)

        self._both(call)

    @rule(job_id=job_ids, delay=st.none() | st.just(30))
    def release(self, job_id: uuid.UUID, delay: int | None) -> None:
        available_at = None if delay is None else self._clock.now() + timedelta(seconds=delay)
        self._both(lambda queue: queue.release(job_id, available_at=available_at))

    @rule(job_id=job_ids)
    def cancel_job(self, job_id: uuid.UUID) -> None:
        self._both(lambda queue: queue.cancel_job(job_id))

    @rule(job_id=job_ids)
    def retry_job(self, job_id: uuid.UUID) -> None:
        self._both(lambda queue: queue.retry_job(job_id))

    @rule(job_id=job_ids)
    def delete_job(self, job_id: uuid.UUID) -> None:
        self._both(lambda queue: queue.delete_job(job_id))

    @rule(job_id=job_ids)
    def request_abort(self, job_id: uuid.UUID) -> None:
        self._both(lambda queue: queue.request_abort(job_id))

    @rule(queue_name=st.sampled_from(_QUEUES), is_paused=st.booleans())
    def pause_queue(self, queue_name: str, is_paused: bool) -> None:  # noqa: FBT001 - drawn by name
        self._both(lambda queue: queue.pause_queue(queue_name) if is_paused else queue.resume_queue(queue_name))

    @rule()
    def heartbeat(self) -> None:
        self._both(lambda queue: queue.heartbeat())

    @rule()
    def prune(self) -> None:
        self._both(_prune_all)

    @rule(seconds=st.sampled_from([0.001, 1, 31, 61, 1_800, 3_601, 7_201]))
    def let_time_pass(self, seconds: float) -> None:
        self._run(self._clock.advance(seconds))
        # whether a claim gives back what expired in other queues too is the adapter's choice
        self._both(lambda queue: queue.requeue_expired())

    @rule()
    def close_and_open(self) -> None:
        self._both(lambda queue: queue.close())
        self._queue = self.reopen_queue(self._queue)
        self._both(lambda queue: queue.initialize())

    @invariant()
    def all_jobs_are_equal(self) -> None:
        for job_id in self._ids:
            self._both(_getting(job_id))

    @invariant()
    def all_lists_are_equal(self) -> None:
        if self._ids:
            self._both(lambda queue: queue.list_jobs(limit=1_000))
            self._both(lambda queue: queue.list_jobs(queue_name="one", status=JobStatus.RETRYING))
            self._both(lambda queue: queue.abort_requests())

    @invariant()
    def all_counts_are_equal(self) -> None:
        if self._ids:
            for queue_name in _QUEUES:
                self._both(_counting(queue_name))

    @override
    def teardown(self) -> None:
        with self._runner:
            if hasattr(self, "_queue"):
                self._both(lambda queue: queue.close())

    def _new_id(self) -> uuid.UUID:
        self._ids.append(uuid.UUID(int=len(self._ids) + 1))
        return self._ids[-1]

    def _run(self, call: Awaitable[Any]) -> Any:
        async def awaited() -> Any:
            return await call

        return self._runner.run(awaited())

    def _both(self, call: _Call) -> Any:
        expected, answer = (self._run(_outcome(call, queue)) for queue in (self._model, self._queue))
        assert _comparable(answer) == _comparable(expected)
        return answer


async def _outcome(call: _Call, queue: JobQueueAdapter) -> Any:
    try:
        return await call(queue)
    except PorticoError as error:
        return _Raised(type(error))


async def _enqueue(queue: JobQueueAdapter, jobs: list[Job]) -> list[Job]:
    """Enqueue; how much a store keeps of a job that is gone while its key is held is the suite's affair."""
    answers = [await queue.enqueue(job) for job in jobs] if len(jobs) == 1 else await queue.enqueue_many(jobs)
    return [job if await queue.get_job(job.id) is not None else _gone(job) for job in answers]


def _gone(job: Job) -> Job:
    return Job(job.id, job.queue_name, "gone", {}, status=job.status, is_duplicate=job.is_duplicate)


def _getting(job_id: uuid.UUID) -> _Call:
    return lambda queue: queue.get_job(job_id)


def _counting(queue_name: str) -> _Call:
    return lambda queue: queue.get_queue_stats(queue_name)


async def _prune_all(queue: JobQueueAdapter) -> int:
    pruned = 0
    while count := await queue.prune():
        pruned += count
    return pruned


def _comparable(answer: Any) -> Any:
    """Return the answer with what equality of jobs leaves out."""
    if isinstance(answer, list):
        return [_comparable(each) for each in answer]
    return (answer, answer.is_duplicate) if isinstance(answer, Job) else answer
