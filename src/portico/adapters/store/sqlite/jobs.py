"""Jobs in an SQLite file."""

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import TypeVar
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
)
from portico.adapters.ready_signals import ReadySignals
from portico.adapters.store.sqlite import admission, job_operations, pruning
from portico.adapters.store.sqlite.admission import Newcomer
from portico.adapters.store.sqlite.claiming import Claiming
from portico.adapters.store.sqlite.connection_thread import MANY_ROWS, Operation
from portico.adapters.store.sqlite.foreign_changes import watch
from portico.adapters.store.sqlite.job_operations import Answer, Queues
from portico.adapters.store.sqlite.rows import TOKEN, job_from_row
from portico.adapters.store.sqlite.statements import statement
from portico.adapters.store.sqlite.store import SqliteStore
from portico.adapters.stored_moments import microseconds, moment
from portico.exceptions import DatabaseError
from portico.ports import job_lifecycle
from portico.ports.clock import Clock
from portico.ports.job import Job, JobStatus, QueueStats
from portico.runtime.documents import encode
from portico.utils.logging import get_logger

Result = TypeVar("Result")

logger = get_logger(__name__)


class SqliteJobs(JobStore):
    """Every method is one operation of the writer or the reader; what wakes waiting claims follows its commit."""

    def __init__(self, store: SqliteStore, rules: KeepingRules, clock: Clock) -> None:
        self._store = store
        self._rules = rules
        self._clock = clock
        self._signals = ReadySignals(clock)
        self._claiming = Claiming(store, rules, self._now, self._announce)
        self._held_for = round(rules.idempotency_seconds * 1_000_000)
        self._resources = AsyncExitStack()

    @override
    async def open(self) -> None:
        async with AsyncExitStack() as stack:
            await self._store.open()
            stack.push_async_callback(self._store.close)
            # limits may be others than before
            await self._recover(let_go_at_least=1)
            watcher = asyncio.create_task(watch(self._store, self._signals), name="portico-sqlite-watch")
            stack.push_async_callback(_end, watcher)
            self._resources = stack.pop_all()

    @override
    async def close(self) -> None:
        async with self._resources:
            session = self._store.session.name
            await self._store.write(
                partial(job_operations.release_session, session=session, now=self._now()), rows=MANY_ROWS
            )
            self._announce_unknown()

    @override
    async def insert(self, jobs: Sequence[Job]) -> list[Job]:
        now = self._now()
        newcomers = [admission.newcomer(job, now, self._rules.max_payload_bytes) for job in jobs]
        duplicates = await self._finish(self._store.submit_item(self._insert, newcomers, rows=len(jobs)))
        stored = [duplicate or job for job, duplicate in zip(jobs, duplicates, strict=True)]
        self._announce({job.queue_name for job in stored if not job.is_duplicate})
        return stored

    @override
    async def claim(self, queue_name: str, limit: int) -> list[Claim]:
        before = self._signals.before_claim(queue_name)
        answer = await self._claiming.claim(queue_name, limit)
        if answer.is_emptied:
            self._signals.emptied(queue_name, before, None if answer.due_at is None else moment(answer.due_at))
        return [Claim(job_from_row(row), row[TOKEN]) for row in answer.rows]

    @override
    async def complete(self, completions: Sequence[Completion]) -> list[bool]:
        answers = [(each.holding.job_id.bytes, each.holding.token, _result_text(each)) for each in completions]
        done, queues = await self._finish(self._store.submit_item(self._complete, answers, rows=len(answers)))
        self._announce(queues)
        return done

    @override
    async def reject(self, rejection: Rejection) -> bool:
        now = self._clock.now()
        transition = partial(
            job_lifecycle.rejected, now=now, requeue=rejection.requeue, error_message=rejection.error_message
        )
        run_at = microseconds(rejection.retry_at or now)
        return await self._change_running(rejection.holding, transition, run_at)

    @override
    async def release(self, holding: Holding, available_at: datetime | None) -> bool:
        run_at = microseconds(available_at or self._clock.now())
        return await self._change_running(holding, job_lifecycle.released, run_at)

    @override
    async def extend(self, held: Mapping[UUID, int]) -> frozenset[UUID]:
        tokens = await self._write(
            partial(job_operations.extend, session=self._store.session.name, lease_end=self._lease_end()),
            rows=len(held),
        )
        return frozenset(job_id for job_id, token in held.items() if tokens.get(job_id.bytes) != token)

    @override
    async def recover(self) -> int:
        return await self._recover(let_go_at_least=0)

    async def _recover(self, *, let_go_at_least: int) -> int:
        session = self._store.session
        self._store.renew_presence()
        dead = session.find_dead()
        count, queues = await self._write(
            partial(
                job_operations.recover,
                dead=dead,
                now=self._now(),
                max_crashes=self._rules.max_crashes,
                at_least=let_go_at_least,
            ),
            rows=MANY_ROWS,
        )
        # only now: whoever dies before leaves their files to be found again
        session.bury(dead)
        self._announce(queues)
        if count:
            logger.info("jobs_recovered", count=count, path=str(self._store.path))
        return count

    @override
    async def request_abort(self, job_id: UUID) -> bool:
        queue_name = await self._write(partial(job_operations.request_abort, job_id=job_id))
        if queue_name is None:
            return False
        # its worker may be waiting for jobs
        self._announce([queue_name])
        return True

    @override
    async def abort_requests(self, held: Mapping[UUID, int]) -> frozenset[UUID]:
        noted = await self._store.read(job_operations.abort_requests)
        return frozenset(job_id for job_id, token in held.items() if noted.get(job_id.bytes) == token)

    @override
    async def prune_ended(self, statuses: frozenset[JobStatus], ended_before: datetime) -> int:
        some = partial(
            pruning.prune_jobs,
            statuses=statuses,
            ended_before=microseconds(ended_before),
            held_for=self._held_for,
            now=self._now(),
        )
        deleted = batch = await self._store.write(some, rows=pruning.BATCH)
        while batch == pruning.BATCH:
            batch = await self._store.write(some, rows=pruning.BATCH)
            deleted += batch
        while await self._store.write(pruning.give_back_space, rows=MANY_ROWS):
            pass
        return deleted

    @override
    async def get(self, job_id: UUID) -> Job | None:
        row = await self._store.read(partial(job_operations.get, job_id=job_id))
        return None if row is None else job_from_row(row)

    @override
    async def cancel(self, job_id: UUID) -> bool:
        return await self._change(partial(job_operations.cancel, job_id=job_id, now=self._now()))

    @override
    async def revive(self, job_id: UUID) -> bool:
        return await self._change(partial(job_operations.revive, job_id=job_id, now=self._now()))

    @override
    async def delete(self, job_id: UUID) -> bool:
        return await self._change(
            partial(job_operations.delete, job_id=job_id, now=self._now(), held_for=self._held_for)
        )

    @override
    async def list_jobs(self, which: JobFilter) -> list[Job]:
        rows = await self._store.read(partial(job_operations.list_rows, which=which))
        return [job_from_row(row) for row in rows]

    @override
    async def stats(self, queue_name: str) -> QueueStats:
        rows = await self._store.read(
            lambda connection: connection.execute(statement("job_stats"), (queue_name,)).fetchall()
        )
        counts = dict.fromkeys(JobStatus, 0)
        for status, count in rows:
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
        await self._write(lambda connection: connection.execute(statement(name), (queue_name,)).rowcount)
        self._announce([queue_name])

    @override
    async def wait(self, queue_names: Sequence[str], timeout: float) -> None:
        await self._signals.wait(queue_names, timeout)

    async def _change_running(self, holding: Holding, transition: job_operations.Transition, run_at: int) -> bool:
        return await self._change(
            partial(
                job_operations.change_running,
                holding=holding,
                transition=transition,
                run_at=run_at,
                now=self._now(),
            )
        )

    async def _change(self, operation: Operation[Queues | None]) -> bool:
        queues = await self._write(operation)
        self._announce(queues or ())
        return queues is not None

    def _insert(self, connection: sqlite3.Connection, calls: Sequence[Sequence[Newcomer]]) -> list[list[Job | None]]:
        newcomers = [newcomer for call in calls for newcomer in call]
        duplicates = iter(admission.insert(connection, newcomers, self._now(), self._held_for))
        return [list(islice(duplicates, len(call))) for call in calls]

    def _complete(
        self, connection: sqlite3.Connection, calls: Sequence[Sequence[Answer]]
    ) -> list[tuple[list[bool], Queues]]:
        answers = [answer for call in calls for answer in call]
        done, queues = job_operations.complete(connection, answers, self._now())
        return [([_take(done, job_id) for job_id, _, _ in call], queues) for call in calls]

    async def _write(self, operation: Operation[Result], *, rows: int = 1) -> Result:
        return await self._finish(self._store.submit(operation, rows=rows))

    async def _finish(self, writing: asyncio.Future[Result]) -> Result:
        try:
            return await writing
        except asyncio.CancelledError:
            # it happens all the same, and whoever waits has to know: the next write comes after it
            with suppress(DatabaseError):
                self._store.submit(_nothing).add_done_callback(self._ring_for_unknown)
            raise

    def _ring_for_unknown(self, after: asyncio.Future[None]) -> None:
        if not after.cancelled() and after.exception() is None:
            self._announce_unknown()

    def _announce(self, queue_names: Iterable[str]) -> None:
        """Wake whoever waits for one of the queues, here and in other processes."""
        names = frozenset(queue_names)
        if names:
            self._signals.ring(names)
            self._store.doorbell.ring()

    def _announce_unknown(self) -> None:
        self._signals.ring_all()
        self._store.doorbell.ring()

    def _now(self) -> int:
        return microseconds(self._clock.now())

    def _lease_end(self) -> int:
        return microseconds(self._clock.now() + timedelta(seconds=self._rules.lease_seconds))


def _nothing(_connection: sqlite3.Connection) -> None:
    pass


def _result_text(completion: Completion) -> str | None:
    return None if completion.result is None else encode(completion.result, "result")


def _take(done: set[bytes], job_id: bytes) -> bool:
    """An id that was answered twice in one batch was completed by the first."""
    if job_id not in done:
        return False
    done.remove(job_id)
    return True


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
