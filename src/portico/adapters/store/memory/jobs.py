"""Jobs in the memory of this process."""

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from typing_extensions import override

from portico.adapters.job_store import (
    Claim,
    Completion,
    Holding,
    JobFilter,
    JobStore,
    KeepingRules,
    Rejection,
    unique_key_taken,
    unknown_page,
)
from portico.adapters.ready_signals import ReadySignals
from portico.adapters.store.memory.entries import Entry, WaitingLine
from portico.adapters.store.memory.keys import HeldKeys
from portico.adapters.store.memory.slots import SlotBook
from portico.adapters.store.memory.turns import Turns
from portico.ports import job_lifecycle
from portico.ports.clock import Clock
from portico.ports.job import Job, JobStatus, QueueStats
from portico.runtime.documents import encode

_LARGEST_PRUNING = 10_000
_MOST_PARKED = 500
"""By one claim before others have their turn: some milliseconds."""
_NEVER = datetime.max.replace(tzinfo=UTC)


class MemoryJobs(JobStore):
    """Whatever reads and then changes runs without a pause in between: the event loop alone makes it atomic."""

    outlives_loops = True

    def __init__(self, rules: KeepingRules, clock: Clock) -> None:
        self._rules = rules
        self._clock = clock
        self._signals = ReadySignals(clock)
        self._entries: dict[UUID, Entry] = {}
        self._lines: dict[str, WaitingLine] = {}
        self._turns: defaultdict[tuple[str, int], Turns] = defaultdict(Turns)
        self._slots = SlotBook(rules.limits)
        self._keys = HeldKeys(rules.idempotency_seconds)
        # of entries, not of ids: these are hashed in C
        self._running: dict[Entry, None] = {}
        self._next_lease_end = _NEVER
        # by status, in the order in which they ended
        self._ended: defaultdict[JobStatus, dict[Entry, None]] = defaultdict(dict)
        self._paused: set[str] = set()
        # queues whose last claim had parked so many jobs that it looked no further
        self._half_seen: set[str] = set()
        self._seq = itertools.count(1)
        self._tokens = itertools.count(1)

    @override
    async def open(self) -> None:
        pass

    @override
    async def close(self) -> None:
        now = self._clock.now()
        for entry in list(self._running):
            self._put_back(entry, job_lifecycle.released(entry.job), now)
        self._signals.ring_all()

    @override
    async def insert(self, jobs: Sequence[Job]) -> list[Job]:
        now = self._clock.now()
        # all entries first: a job that is not JSON must not leave half of a batch behind
        most = self._rules.max_payload_bytes
        newcomers = [Entry(job, next(self._seq), job.scheduled_at or now, most) for job in jobs]
        stored = [self._insert(entry, now) or job for entry, job in zip(newcomers, jobs, strict=True)]
        self._signals.ring(job.queue_name for job in stored if not job.is_duplicate)
        return stored

    @override
    async def claim(self, queue_name: str, limit: int) -> list[Claim]:
        while True:
            if queue_name in self._half_seen:
                # with nothing in hand: a claim that is cancelled here has claimed nothing
                await asyncio.sleep(0)
            claims = self._claim_some(queue_name, limit)
            if claims or queue_name not in self._half_seen:
                return claims

    def _claim_some(self, queue_name: str, limit: int) -> list[Claim]:
        before = self._signals.before_claim(queue_name)
        now = self._clock.now()
        self._expire(now)
        self._half_seen.discard(queue_name)
        if queue_name in self._paused:
            self._signals.emptied(queue_name, before, None)
            return []
        lease_end = self._lease_end(now)
        runnable = itertools.islice(self._runnable(queue_name, limit, now), limit)
        claims = [self._claim(entry, now, lease_end) for entry in runnable]
        if claims:
            self._next_lease_end = min(self._next_lease_end, lease_end)
        if len(claims) < limit and self._line(queue_name).has_ready:
            self._half_seen.add(queue_name)
            self._signals.ring([queue_name])
        elif len(claims) < limit:
            self._signals.emptied(queue_name, before, self._next_due(queue_name))
        return claims

    @override
    async def complete(self, completions: Sequence[Completion]) -> list[bool]:
        # all results first: one that is not JSON must not leave half of a batch behind
        results = [_encoded_result(completion) for completion in completions]
        now = self._clock.now()
        answers = zip(completions, results, strict=True)
        return [self._complete(completion.holding, result, now) for completion, result in answers]

    @override
    async def reject(self, rejection: Rejection) -> bool:
        entry = self._held(rejection.holding)
        if entry is None:
            return False
        now = self._clock.now()
        job = job_lifecycle.rejected(entry.job, now, requeue=rejection.requeue, error_message=rejection.error_message)
        self._put_back(entry, job, rejection.retry_at or now)
        return True

    @override
    async def release(self, holding: Holding, available_at: datetime | None) -> bool:
        entry = self._held(holding)
        if entry is None:
            return False
        self._put_back(entry, job_lifecycle.released(entry.job), available_at or self._clock.now())
        return True

    @override
    async def extend(self, held: Mapping[UUID, int]) -> frozenset[UUID]:
        expires_at = self._lease_end(self._clock.now())
        lost = set(held)
        for job_id, token in held.items():
            entry = self._held(Holding(job_id, token))
            if entry is not None:
                entry.lease_expires_at = expires_at
                lost.discard(job_id)
        return frozenset(lost)

    @override
    async def recover(self) -> int:
        now = self._clock.now()
        self._keys.forget_expired(now)
        self._slots.forget_idle(now)
        return self._expire(now)

    @override
    async def request_abort(self, job_id: UUID) -> bool:
        entry = self._held(Holding(job_id, None))
        if entry is None:
            return False
        entry.is_to_abort = True
        # its worker may be waiting for jobs
        self._signals.ring([entry.queue_name])
        return True

    @override
    async def abort_requests(self, held: Mapping[UUID, int]) -> frozenset[UUID]:
        entries = (self._held(Holding(job_id, token)) for job_id, token in held.items())
        return frozenset(entry.id for entry in entries if entry is not None and entry.is_to_abort)

    @override
    async def prune_ended(self, statuses: frozenset[JobStatus], ended_before: datetime) -> int:
        now = self._clock.now()
        over = [entry for status in statuses for entry in self._ended_before(status, ended_before)]
        for entry in over:
            self._forget(entry, now, is_erased=False)
        return len(over)

    @override
    async def get(self, job_id: UUID) -> Job | None:
        entry = self._entries.get(job_id)
        return None if entry is None else entry.view()

    @override
    async def cancel(self, job_id: UUID) -> bool:
        entry = self._entries.get(job_id)
        if entry is None or not entry.status.is_waiting:
            return False
        self._turns_of(entry).leave(entry)
        entry.become(job_lifecycle.cancelled(entry.job, self._clock.now()))
        self._finish(entry)
        return True

    @override
    async def revive(self, job_id: UUID) -> bool:
        entry = self._entries.get(job_id)
        if entry is None or entry.status not in job_lifecycle.TRANSITIONS[job_lifecycle.revived]:
            return False
        if (other := self._keys.unique_holder(entry)) is not None:
            raise unique_key_taken(job_id, other.id)
        self._keys.hold_unique(entry)
        del self._ended[entry.status][entry]
        self._put_back(entry, job_lifecycle.revived(entry.job), self._clock.now())
        return True

    @override
    async def delete(self, job_id: UUID) -> bool:
        entry = self._entries.get(job_id)
        if entry is None or entry.status is JobStatus.RUNNING:
            return False
        self._forget(entry, self._clock.now(), is_erased=True)
        return True

    @override
    async def list_jobs(self, which: JobFilter) -> list[Job]:
        if which.after is not None and which.after not in self._entries:
            raise unknown_page(which.after)
        older_than = None if which.after is None else self._entries[which.after].seq
        newest_first = sorted(self._entries.values(), key=lambda entry: entry.seq, reverse=True)
        matching = (
            entry for entry in newest_first if (older_than is None or entry.seq < older_than) and which.finds(entry.job)
        )
        return [entry.view() for entry in itertools.islice(matching, max(which.limit, 0))]

    @override
    async def stats(self, queue_name: str) -> QueueStats:
        counts = Counter(e.status for e in self._entries.values() if e.queue_name == queue_name)
        return QueueStats(
            queue_name=queue_name,
            pending_count=sum(count for status, count in counts.items() if status.is_waiting),
            running_count=counts[JobStatus.RUNNING],
            completed_count=counts[JobStatus.COMPLETED],
            failed_count=counts[JobStatus.FAILED],
            dead_letter_count=counts[JobStatus.DEAD_LETTER],
        )

    @override
    async def set_paused(self, queue_name: str, *, paused: bool) -> None:
        if paused:
            self._paused.add(queue_name)
            return
        self._paused.discard(queue_name)
        self._signals.ring([queue_name])

    @override
    async def wait(self, queue_names: Sequence[str], timeout: float) -> None:
        await self._signals.wait(queue_names, timeout)

    def _insert(self, newcomer: Entry, now: datetime) -> Job | None:
        """Store the job, or return the one that it is a duplicate of."""
        same_id = self._entries.get(newcomer.id)
        if same_id is not None:
            return same_id.view(is_duplicate=True)
        duplicate: Callable[[], Job] | None = self._keys.holder(newcomer, now)
        if duplicate is not None:
            return duplicate()
        self._entries[newcomer.id] = newcomer
        self._keys.hold(newcomer)
        self._turns_of(newcomer).join(newcomer)
        self._line(newcomer.queue_name).add(newcomer, now)
        return None

    def _runnable(self, queue_name: str, wanted: int, now: datetime) -> Iterator[Entry]:
        line = self._line(queue_name)
        is_limited = self._slots.concern(queue_name)
        for parked in self._slots.unpark(queue_name, wanted, now) if is_limited else ():
            line.add(parked, now)
        parked_count = 0
        while parked_count < _MOST_PARKED and (entry := line.take(now)) is not None:
            if not is_limited or self._slots.admit(entry, now):
                yield entry
                continue
            parked_count += 1
            for parked in self._slots.unpark_beside(entry, now):
                line.add(parked, now)

    def _claim(self, entry: Entry, now: datetime, lease_end: datetime) -> Claim:
        self._turns_of(entry).run(entry)
        entry.place += 1
        entry.token = token = next(self._tokens)
        entry.lease_expires_at = lease_end
        self._running[entry] = None
        return Claim(entry.begin(now), token)

    def _complete(self, holding: Holding, result: str | None, now: datetime) -> bool:
        entry = self._held(holding)
        if entry is None:
            return False
        entry.complete(result, now)
        self._finish(entry)
        return True

    def _held(self, holding: Holding) -> Entry | None:
        entry = self._entries.get(holding.job_id)
        if entry is None or entry.token is None or holding.token not in (None, entry.token):
            return None
        return entry

    def _finish(self, entry: Entry) -> None:
        entry.place += 1
        self._ended[entry.status][entry] = None
        entry.token = None
        entry.is_to_abort = False
        self._end_run(entry)
        self._keys.free_unique(entry)

    def _end_run(self, entry: Entry) -> None:
        if entry not in self._running:
            return
        del self._running[entry]
        if entry.slots:
            self._signals.ring(self._slots.give_back(entry, self._clock.now()))

    def _ended_before(self, status: JobStatus, moment: datetime) -> Iterator[Entry]:
        for entry in itertools.islice(self._ended[status], _LARGEST_PRUNING):
            if entry.ended_at is None or entry.ended_at >= moment:
                return
            yield entry

    def _forget(self, entry: Entry, now: datetime, *, is_erased: bool) -> None:
        del self._entries[entry.id]
        if entry.status.is_waiting:
            self._turns_of(entry).leave(entry)
        self._ended[entry.status].pop(entry, None)
        entry.place += 1
        self._keys.outlive(entry, now, is_erased=is_erased)

    def _put_back(self, entry: Entry, job: Job, run_at: datetime) -> None:
        """Store what a transition made of a job that ran: in line again, or at its end."""
        if entry.is_to_abort and not job.status.is_final:
            job = job_lifecycle.aborted(entry.job, self._clock.now())
        entry.become(job)
        if job.status.is_final:
            self._finish(entry)
            return
        entry.place += 1
        entry.token = None
        entry.run_at = run_at
        self._end_run(entry)
        self._turns_of(entry).come_back(entry)
        self._line(entry.queue_name).add(entry, self._clock.now())
        self._signals.ring([entry.queue_name])

    def _expire(self, now: datetime) -> int:
        # too early after a heartbeat, never too late: so running jobs are walked once a lease, not once a claim
        if now < self._next_lease_end:
            return 0
        expired = [entry for entry in self._running if entry.lease_expires_at <= now]
        for entry in expired:
            job = job_lifecycle.crashed(entry.job, now, max_crashes=self._rules.max_crashes)
            self._put_back(entry, job, now)
        self._next_lease_end = min((entry.lease_expires_at for entry in self._running), default=_NEVER)
        return len(expired)

    def _next_due(self, queue_name: str) -> datetime | None:
        in_line, parked = self._line(queue_name).due_at(), self._slots.due_at(queue_name)
        due_at = min(in_line or _NEVER, parked or _NEVER, self._next_lease_end)
        return None if due_at == _NEVER else due_at

    def _lease_end(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self._rules.lease_seconds)

    def _turns_of(self, entry: Entry) -> Turns:
        return self._turns[entry.queue_name, entry.priority]

    def _line(self, queue_name: str) -> WaitingLine:
        return self._lines.setdefault(queue_name, WaitingLine())


def _encoded_result(completion: Completion) -> str | None:
    return None if completion.result is None else encode(completion.result, "result")
