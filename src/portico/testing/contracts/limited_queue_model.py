"""A queue adapter with limits held against what limits mean, by whatever sequence of calls hypothesis thinks of."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from typing_extensions import override

from portico.adapters.job_slots import Slot, SlotRules
from portico.ports.job import Job, JobStatus
from portico.ports.job_limits import ConcurrencyLimit, RateLimit
from portico.ports.job_queue import JobQueueAdapter, delays_retries
from portico.testing.clock import FakeClock

_QUEUES = ("one", "two")
_LIMITS = (
    ConcurrencyLimit(4),
    ConcurrencyLimit(2, queue_name="one"),
    ConcurrencyLimit(1, key="n"),
    RateLimit(2, per_seconds=10, queue_name="two"),
)
_LEASE_SECONDS = 30
_WAYS = ("acknowledge", "fail", "retry", "retry_at", "release", "release_at")
_VALUES = st.lists(st.sampled_from([None, 1, 2, "1"]), min_size=1, max_size=6)
_THEN = st.none() | st.sampled_from(_QUEUES)
_T = TypeVar("_T")


class LimitedQueueModel(RuleBasedStateMachine):
    """Subclass, give `make_queue`, and run it with `hypothesis.stateful.run_state_machine_as_test`.

    After each claim no slot may be overdrawn, nothing may be left that could run, and who was passed over must have
    lacked a slot. The adapter takes ``limits``, ``clock`` and ``lease_seconds``; hypothesis must be installed.
    """

    def make_queue(self, **options: Any) -> JobQueueAdapter:
        """Return a new adapter on an empty store, made with these `options`."""
        raise NotImplementedError

    def reopen_queue(self, queue: JobQueueAdapter) -> JobQueueAdapter:
        """Return an adapter on the store of this one, which was closed: the same one, unless this is overridden."""
        return queue

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))
        self._rules = SlotRules(_LIMITS)
        self._turns: dict[uuid.UUID, tuple[int, int]] = {}
        self._not_before: dict[uuid.UUID, datetime] = {}
        self._starts: list[tuple[datetime, Slot]] = []
        self._paused: set[str] = set()

    @initialize(one=_VALUES, two=_VALUES)
    def open(self, one: list[Any], two: list[Any]) -> None:
        self._queue = self.make_queue(clock=self._clock, lease_seconds=_LEASE_SECONDS, limits=_LIMITS)
        self._run(self._queue.initialize())
        # most sequences leave rules out, and without jobs nothing happens
        for queue_name, values in zip(_QUEUES, (one, two), strict=True):
            self.enqueue(queue_name, values, 0, None, queue_name)

    @rule(
        queue_name=st.sampled_from(_QUEUES),
        values=_VALUES,
        priority=st.integers(0, 1),
        delay=st.sampled_from([None, None, None, 20]),
        then=_THEN,
    )
    def enqueue(self, queue_name: str, values: list[Any], priority: int, delay: int | None, then: str | None) -> None:
        at = None if delay is None else self._clock.now() + timedelta(seconds=delay)
        jobs = []
        for value in values:
            number = len(self._turns) + 1
            job_id = uuid.UUID(int=number)
            self._turns[job_id] = -priority, number
            payload = {"n": value}
            jobs.append(Job(job_id, queue_name, "model.work", payload, priority, max_retries=99, scheduled_at=at))
            if at is not None:
                self._not_before[job_id] = at
        self._run(self._queue.enqueue_many(jobs))
        self._claim_then(then)

    @rule(queue_name=st.sampled_from(_QUEUES), limit=st.integers(1, 5))
    def claim(self, queue_name: str, limit: int) -> None:
        self._claim(queue_name, limit)

    @rule(data=st.data(), ways=st.lists(st.sampled_from(_WAYS), min_size=1, max_size=3), then=_THEN)
    def end_runs(self, data: st.DataObject, ways: list[str], then: str | None) -> None:
        for way in ways:
            if job := self._draw(data, JobStatus.RUNNING):
                later = self._clock.now() + timedelta(seconds=20)
                if way.endswith("_at"):
                    self._not_before[job.id] = later
                assert self._run(_ENDS[way](self._queue, job.id, later))
        self._claim_then(then)

    @rule(data=st.data(), is_deleted=st.booleans())
    def call_off(self, data: st.DataObject, is_deleted: bool) -> None:  # noqa: FBT001 - drawn by name
        if job := self._draw(data, JobStatus.PENDING):
            assert self._run(self._queue.delete_job(job.id) if is_deleted else self._queue.cancel_job(job.id))

    @rule(queue_name=st.sampled_from(_QUEUES))
    def pause_or_resume(self, queue_name: str) -> None:
        self._paused ^= {queue_name}
        is_paused = queue_name in self._paused
        self._run(self._queue.pause_queue(queue_name) if is_paused else self._queue.resume_queue(queue_name))

    @rule(seconds=st.sampled_from([1, 10, 21, 61]), has_heartbeat=st.booleans(), then=_THEN)
    def let_time_pass(self, seconds: int, has_heartbeat: bool, then: str | None) -> None:  # noqa: FBT001 - drawn by name
        if has_heartbeat:
            self._run(self._queue.heartbeat())
        self._run(self._clock.advance(seconds))
        self._run(self._queue.requeue_expired())
        self._claim_then(then)

    @rule()
    def close_and_open(self) -> None:
        self._run(self._queue.close())
        self._queue = self.reopen_queue(self._queue)
        self._run(self._queue.initialize())

    @invariant()
    def no_slot_is_overdrawn(self) -> None:
        if self._turns:
            jobs = self._all()
            taken = self._taken(jobs)
            assert all(taken[slot.name] <= slot.size for job in jobs for slot in self._rules.slots_of(job))

    @override
    def teardown(self) -> None:
        with self._runner:
            if hasattr(self, "_queue"):
                self._run(self._queue.close())

    def _claim_then(self, queue_name: str | None) -> None:
        """Claim all there is, where something may have become possible."""
        if queue_name is not None:
            self._claim(queue_name, 10)

    def _claim(self, queue_name: str, limit: int) -> None:
        claimed = self._run(self._queue.dequeue_many(queue_name, limit, timeout=0))
        slots = (slot for job in claimed for slot in self._rules.slots_of(job) if slot.window_seconds is not None)
        self._starts += [(self._clock.now(), slot) for slot in slots]
        left = [self._turns[job.id] for job in self._runnable() if job.queue_name == queue_name]
        assert len(claimed) == limit or not left, "a job that may run was not claimed"
        last = max((self._turns[job.id] for job in claimed), default=None)
        assert last is None or all(turn > last for turn in left), "a job that may run was passed over"

    def _all(self, status: JobStatus | None = None) -> list[Job]:
        return self._run(self._queue.list_jobs(status=status, limit=10_000))

    def _draw(self, data: st.DataObject, status: JobStatus) -> Job | None:
        jobs = self._all(status)
        return data.draw(st.sampled_from(jobs)) if jobs else None

    def _runnable(self) -> list[Job]:
        jobs, now = self._all(), self._clock.now()
        taken = self._taken(jobs)
        return [
            job
            for job in jobs
            if job.status.is_waiting
            and job.queue_name not in self._paused
            and self._not_before.get(job.id, now) <= now
            and all(taken[slot.name] < slot.size for slot in self._rules.slots_of(job))
        ]

    def _taken(self, jobs: list[Job]) -> Counter[str]:
        now = self._clock.now()
        running = (slot for job in jobs if job.status is JobStatus.RUNNING for slot in self._rules.slots_of(job))
        counted = [slot for begun, slot in self._starts if now < begun + timedelta(seconds=slot.window_seconds or 0)]
        return Counter(slot.name for slot in (*(each for each in running if each.window_seconds is None), *counted))

    def _run(self, call: Awaitable[_T]) -> _T:
        async def awaited() -> _T:
            return await call

        return self._runner.run(awaited())


async def _retry_at(queue: JobQueueAdapter, job_id: uuid.UUID, later: datetime) -> bool:
    delaying: object = queue
    assert delays_retries(delaying)
    return await delaying.reject(job_id, retry_at=later)


_ENDS: dict[str, Callable[[JobQueueAdapter, uuid.UUID, datetime], Awaitable[bool]]] = {
    "acknowledge": lambda queue, job_id, _: queue.acknowledge(job_id),
    "fail": lambda queue, job_id, _: queue.reject(job_id, requeue=False),
    "retry": lambda queue, job_id, _: queue.reject(job_id),
    "retry_at": _retry_at,
    "release": lambda queue, job_id, _: queue.release(job_id),
    "release_at": lambda queue, job_id, later: queue.release(job_id, available_at=later),
}
