"""Jobs in a PostgreSQL database."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
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
from portico.adapters.store.postgres.admission import AdmissionRules, Newcomer, insert, insert_quickly
from portico.adapters.store.postgres.answers import complete, reject
from portico.adapters.store.postgres.claiming import Claiming, release_claims
from portico.adapters.store.postgres.commit_watch import CommitWatch
from portico.adapters.store.postgres.connections import Row
from portico.adapters.store.postgres.doorbell import Doorbell, Listener, Watch
from portico.adapters.store.postgres.failures import UNIQUE_VIOLATION
from portico.adapters.store.postgres.rows import stored_job, text
from portico.adapters.store.postgres.store import PostgresStore
from portico.adapters.store.postgres.transactions import CallersTransaction
from portico.adapters.store.postgres.vacuum import Vacuum
from portico.exceptions import DatabaseError
from portico.ports.job import Job, JobStatus, QueueStats
from portico.ports.job_lifecycle import CANCELLED_MESSAGE, CRASHED_MESSAGE
from portico.runtime.coalescing import Coalescer
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_PRUNED_TOGETHER = 1000
_EXPIRED_TOGETHER = 1000
"""As ``give_back_expired`` has it."""


class PostgresJobs(JobStore):
    """Every method is one statement; single calls that come together share one."""

    def __init__(self, store: PostgresStore, rules: KeepingRules) -> None:
        self._store = store
        self._rules = rules
        self._held_for = timedelta(seconds=rules.idempotency_seconds)
        self._lease = timedelta(seconds=rules.lease_seconds)
        self._signals = ReadySignals(store.clock)
        self._doorbell = Doorbell(store)
        self._listener = Listener(store, self._signals)
        self._commits = CommitWatch(store, self._ring)
        self._vacuum = Vacuum(store)
        self._watch = Watch(self._signals, self._listener)
        self._claiming = Claiming(store, rules, self._ring)
        self._inserting: Coalescer[Newcomer, Job] = Coalescer(self._insert, name="portico-postgres-insert")
        self._completing: Coalescer[Completion, bool] = Coalescer(self._complete, name="portico-postgres-complete")
        self._rejecting: Coalescer[Rejection, bool] = Coalescer(self._reject, name="portico-postgres-reject")
        self._resources = AsyncExitStack()

    @override
    async def open(self) -> None:
        async with AsyncExitStack() as stack:
            await self._store.open()
            stack.push_async_callback(self._store.close)
            await self.recover()
            stack.push_async_callback(self._doorbell.close)
            stack.push_async_callback(self._vacuum.close)
            stack.push_async_callback(self._commits.close)
            watching = asyncio.create_task(self._watch.run(), name="portico-postgres-watch")
            stack.push_async_callback(_end, watching)
            self._resources = stack.pop_all()

    @override
    async def close(self) -> None:
        async with self._resources:
            for coalescer in (self._inserting, self._completing, self._rejecting):
                await coalescer.drain()
            await self._claiming.drain()
            await self._release_all()
            self._signals.ring_all()

    @override
    async def insert(self, jobs: Sequence[Job], *, connection: object | None = None) -> list[Job]:
        """Store all jobs or none, in the transaction of `connection` where one is given.

        There they are part of what the caller commits or rolls back.
        """
        newcomers = [Newcomer(job, self._rules.max_payload_bytes) for job in jobs]
        if connection is not None:
            transaction = await CallersTransaction.of(connection, self._store)
            stored = await insert(transaction, newcomers, self._admission_rules(commit_mode=None))
            self._commits.note([job for job in stored if not job.is_duplicate])
            return stored
        if len(newcomers) == 1:
            return [await self._inserting.submit(newcomers[0])]
        return await self._insert(newcomers)

    @override
    async def claim(self, queue_name: str, limit: int) -> list[Claim]:
        before = self._signals.before_claim(queue_name)
        answer = await self._claiming.claim(queue_name, limit, self._now())
        # who took all of its own queue's jobs leaves none to be rung for
        self._ring(answer.came_back_to - ({queue_name} if answer.is_emptied else set()))
        if answer.claims:
            self._watch.quicken()
        if answer.is_emptied:
            due_in = answer.due_in_seconds
            due_at = None if due_in is None else self._store.clock.now() + timedelta(seconds=due_in)
            self._signals.emptied(queue_name, before, due_at)
        return answer.claims

    @override
    async def complete(self, completions: Sequence[Completion]) -> list[bool]:
        if len(completions) == 1:
            return [await self._completing.submit(completions[0])]
        return await self._complete(completions)

    @override
    async def reject(self, rejection: Rejection) -> bool:
        return await self._rejecting.submit(rejection)

    @override
    async def release(self, holding: Holding, available_at: datetime | None) -> bool:
        rows = await self._store.fetch(
            "job_release",
            holding.job_id,
            holding.token,
            self._store.corrected(available_at),
            self._now(),
            CANCELLED_MESSAGE,
        )
        self._ring_for_runnable(rows)
        return bool(rows)

    @override
    async def extend(self, held: Mapping[UUID, int]) -> frozenset[UUID]:
        rows = await self._store.fetch(
            "job_extend", list(held), list(held.values()), self._lease, self._now(), is_repeatable=True
        )
        return frozenset(held.keys() - {row[0] for row in rows})

    @override
    async def recover(self) -> int:
        await self._store.compare_clocks()
        recovered = await self._give_back_expired()
        freed = await self._store.fetch("job_sweep_slots", self._now(), is_repeatable=True)
        self._ring(row[0] for row in freed)
        await self._store.fetch("key_forget_expired", self._now(), is_repeatable=True)
        if recovered:
            logger.info("jobs_recovered", count=recovered, database=self._store.shown)
        return recovered

    @override
    async def request_abort(self, job_id: UUID) -> bool:
        return bool(await self._store.fetch("job_request_abort", job_id, is_repeatable=True))

    @override
    async def abort_requests(self, held: Mapping[UUID, int]) -> frozenset[UUID]:
        rows = await self._store.fetch("job_abort_requests", list(held), list(held.values()), is_repeatable=True)
        return frozenset(UUID(int=row[0].int) for row in rows)

    @override
    async def get(self, job_id: UUID) -> Job | None:
        rows = await self._store.fetch("job_select", job_id, is_repeatable=True)
        return stored_job(rows[0]) if rows else None

    @override
    async def cancel(self, job_id: UUID) -> bool:
        return self._is_gone(await self._store.fetch("job_cancel", job_id, self._now(), CANCELLED_MESSAGE))

    @override
    async def revive(self, job_id: UUID) -> bool:
        await self._refuse_taken(job_id)
        try:
            rows = await self._store.fetch("job_revive", job_id, self._now())
        except DatabaseError as error:
            if error.details.get("sqlstate") == UNIQUE_VIOLATION:
                # somebody took it meanwhile
                await self._refuse_taken(job_id)
            raise
        self._ring(row[0] for row in rows)
        return bool(rows)

    @override
    async def delete(self, job_id: UUID) -> bool:
        return self._is_gone(await self._store.fetch("job_delete", job_id, self._now(), self._held_for))

    @override
    async def prune_ended(self, statuses: frozenset[JobStatus], ended_before: datetime) -> int:
        names = [status.value for status in statuses]
        deleted = 0
        while True:
            rows = await self._store.fetch("job_prune", ended_before, names, _PRUNED_TOGETHER, self._held_for)
            count: int = rows[0][0]
            deleted += count
            if count < _PRUNED_TOGETHER:
                return deleted

    @override
    async def list_jobs(self, which: JobFilter) -> list[Job]:
        before = None
        if which.after is not None:
            found = await self._store.fetch("job_seq", which.after, is_repeatable=True)
            if not found:
                raise unknown_page(which.after)
            before = found[0][0]
        status = None if which.status is None else which.status.value
        error = None if which.error_contains is None else text("error_contains", which.error_contains)
        is_ended = None if which.status is None else which.status.is_final
        narrowing = (
            which.queue_name,
            status,
            which.job_type,
            error,
            which.created_after,
            which.created_before,
            is_ended,
        )
        rows = await self._store.fetch("job_list", before, *narrowing, max(which.limit, 0), is_repeatable=True)
        return [stored_job(row) for row in rows]

    @override
    async def stats(self, queue_name: str) -> QueueStats:
        counts = dict.fromkeys(JobStatus, 0)
        for status, count in await self._store.fetch("job_stats", text("queue_name", queue_name), is_repeatable=True):
            counts[JobStatus(status)] += count
        return QueueStats(
            queue_name=queue_name,
            pending_count=counts[JobStatus.PENDING],
            running_count=counts[JobStatus.RUNNING],
            completed_count=counts[JobStatus.COMPLETED],
            failed_count=counts[JobStatus.FAILED],
            dead_letter_count=counts[JobStatus.DEAD_LETTER],
        )

    @override
    async def set_paused(self, queue_name: str, *, paused: bool) -> None:
        name = "queue_pause" if paused else "queue_resume"
        await self._store.fetch(name, text("queue_name", queue_name), is_repeatable=True)
        self._ring([queue_name])

    @override
    async def wait(self, queue_names: Sequence[str], timeout: float) -> None:
        await self._signals.wait(queue_names, timeout)

    async def _give_back_expired(self) -> int:
        recovered = 0
        while recovered % _EXPIRED_TOGETHER == 0:
            rows = await self._store.fetch(
                "job_give_back_expired", self._now(), self._rules.max_crashes, CRASHED_MESSAGE, CANCELLED_MESSAGE
            )
            if not rows:
                break
            # a queue beside the jobs has others that may run because of it
            recovered += sum(can_run is not None for _, can_run in rows)
            self._ring_for_runnable(rows)
        return recovered

    async def _refuse_taken(self, job_id: UUID) -> None:
        holders = await self._store.fetch("job_unique_holder", job_id, is_repeatable=True)
        if holders:
            raise unique_key_taken(job_id, UUID(int=holders[0][0].int))

    async def _insert(self, newcomers: Sequence[Newcomer]) -> list[Job]:
        mode = "on" if self._store.durability == "power" else "off"
        rules = self._admission_rules(commit_mode=mode)
        if await insert_quickly(self._store, newcomers, rules):
            jobs = [newcomer.job for newcomer in newcomers]
        else:
            jobs = await insert(self._store, newcomers, rules)
        self._ring({job.queue_name for job in jobs if not job.is_duplicate})
        return jobs

    async def _complete(self, completions: Sequence[Completion]) -> list[bool]:
        answers = await complete(self._store, completions)
        self._vacuum.note(len(completions))
        self._ring(answers.came_back_to)
        return answers.matched

    async def _reject(self, rejections: Sequence[Rejection]) -> list[bool]:
        answers = await reject(self._store, rejections)
        self._vacuum.note(len(rejections))
        self._ring(answers.came_back_to)
        return answers.matched

    def _is_gone(self, rows: Sequence[Row]) -> bool:
        """Ring for those that may run in the place of a job that was called off."""
        for row in rows:
            self._ring(row[0])
        return bool(rows)

    async def _release_all(self) -> None:
        try:
            self._ring_for_runnable(await release_claims(self._store, token=None))
        except DatabaseError as error:
            # closing goes on: the leases end by themselves
            logger.warning("claims_not_given_back", error=str(error))

    def _ring(self, queue_names: Iterable[str]) -> None:
        names = frozenset(queue_names)
        self._signals.ring(names)
        self._doorbell.ring(names)

    def _ring_for_runnable(self, rows: Sequence[Row]) -> None:
        self._ring(queue_name for queue_name, can_run in rows if can_run is not False)

    def _admission_rules(self, *, commit_mode: str | None) -> AdmissionRules:
        return AdmissionRules(now=self._now(), held_for=self._held_for, commit_mode=commit_mode)

    def _now(self) -> datetime | None:
        return self._store.now()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
