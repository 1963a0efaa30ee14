"""What is done to jobs, as plain functions of a connection; each runs inside one transaction of the writer."""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from portico.adapters.job_store import Holding, JobFilter, key_of, unique_key_taken, unknown_page
from portico.adapters.store.sqlite.rows import (
    ABORT,
    PRIORITY,
    RUNNING,
    SEQ,
    STATE,
    TOKEN,
    Row,
    job_from_row,
    microseconds,
    moment,
    stored_back_row,
)
from portico.adapters.store.sqlite.statements import chunks, statement
from portico.ports import job_lifecycle
from portico.ports.job import Job, JobStatus

Transition = Callable[[Job], Job]
Answer = tuple[bytes, int | None, str | None]
"""A completed job's id, the token that its worker shows, and the result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """What a claim asks for; times in microseconds."""

    queue_name: str
    limit: int
    now: int
    lease_end: int
    token: int
    session: str
    max_crashes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAnswer:
    """What it got: rows in order, when the queue is due next if it was emptied, and which queues jobs came back to."""

    rows: Sequence[Row]
    due_at: int | None
    came_back_to: frozenset[str]


def claim(connection: sqlite3.Connection, request: ClaimRequest) -> ClaimAnswer:
    """Give back what has expired, then claim what is ready."""
    expired = give_back(connection, "job_select_expired", (request.now,), request.now, request.max_crashes)
    came_back_to = frozenset(job.queue_name for job in expired if not job.status.is_final)
    if connection.execute(statement("queue_is_paused"), (request.queue_name,)).fetchone()[0]:
        return ClaimAnswer(rows=(), due_at=None, came_back_to=came_back_to)
    connection.execute(statement("job_promote"), (request.queue_name, request.now))
    rows = connection.execute(
        statement("job_claim"),
        {
            "now": request.now,
            "token": request.token,
            "lease_end": request.lease_end,
            "session": request.session,
            "queue_name": request.queue_name,
            "limit": request.limit,
        },
    ).fetchall()
    rows.sort(key=lambda row: (-row[PRIORITY], row[SEQ]))
    due_at = None
    if len(rows) < request.limit:
        due_at = connection.execute(statement("job_next_due"), (request.queue_name,)).fetchone()[0]
    return ClaimAnswer(rows=rows, due_at=due_at, came_back_to=came_back_to)


def complete(connection: sqlite3.Connection, answers: Sequence[Answer], now: int) -> set[bytes]:
    """Complete the running jobs among them whose token fits, and return their ids."""
    done: set[bytes] = set()
    for chunk in chunks(answers):
        values = [value for answer in chunk for value in answer]
        rows = connection.execute(statement("job_complete", len(chunk)), [*values, now])
        done.update(row[0] for row in rows)
    return done


def change_running(
    connection: sqlite3.Connection, holding: Holding, transition: Transition, run_at: int, now: int
) -> Job | None:
    """Store what the transition makes of a running job; None when it does not match."""
    row = _select(connection, holding.job_id)
    if row is None or row[STATE] != RUNNING or holding.token not in (None, row[TOKEN]):
        return None
    return _end_run(connection, row, transition(job_from_row(row)), run_at, now)


def change(
    connection: sqlite3.Connection, job_id: UUID, transition: Transition, allowed: frozenset[JobStatus], now: int
) -> Job | None:
    """Store what the transition makes of a job in one of the statuses; None when it is in another."""
    row = _select(connection, job_id)
    if row is None:
        return None
    job = job_from_row(row)
    return _store_back(connection, transition(job), now, now) if job.status in allowed else None


def revive(connection: sqlite3.Connection, job_id: UUID, now: int) -> Job | None:
    """Make a failed job PENDING; `ConflictError` when another has its unique key."""
    revivable = job_lifecycle.TRANSITIONS[job_lifecycle.revived]
    row = _select(connection, job_id)
    if row is None or job_from_row(row).status not in revivable:
        return None
    holder = connection.execute(statement("job_unique_holder"), (job_id.bytes,)).fetchone()
    if holder is not None:
        raise unique_key_taken(job_id, UUID(bytes=holder[0]))
    return change(connection, job_id, job_lifecycle.revived, revivable, now)


def delete(connection: sqlite3.Connection, job_id: UUID, now: int, held_for: int) -> bool:
    """Delete a job that is not running; its idempotency key is held on."""
    row = _select(connection, job_id)
    if row is None or row[STATE] == RUNNING:
        return False
    job = job_from_row(row)
    key = key_of(job, "idempotency_key")
    if key is not None:
        ended_at = job.completed_at or job.failed_at or moment(now)
        status = job.status if job.status.is_final else JobStatus.FAILED
        values = (status.value, microseconds(ended_at) + held_for, job.queue_name, key, job_id.bytes)
        connection.execute(statement("key_outlive"), values)
    connection.execute(statement("job_delete"), (job_id.bytes,))
    return True


def give_back(
    connection: sqlite3.Connection, which: str, values: tuple[object, ...], now: int, max_crashes: int
) -> list[Job]:
    """Store the jobs of a select as crashed, and return them."""
    rows = connection.execute(statement(which), values).fetchall()
    jobs = [job_lifecycle.crashed(job_from_row(row), moment(now), max_crashes=max_crashes) for row in rows]
    return [_end_run(connection, row, job, now, now) for row, job in zip(rows, jobs, strict=True)]


def release_session(connection: sqlite3.Connection, session: str, now: int) -> None:
    """Give back, without a crash, what a session that ends still holds."""
    for row in connection.execute(statement("job_select_of_session"), (session,)).fetchall():
        _end_run(connection, row, job_lifecycle.released(job_from_row(row)), now, now)


def recover(connection: sqlite3.Connection, dead: Collection[str], now: int, max_crashes: int) -> list[Job]:
    """Give back what expired and what dead sessions held, and forget keys whose time is over."""
    jobs = give_back(connection, "job_select_expired", (now,), now, max_crashes)
    for name in dead:
        jobs += give_back(connection, "job_select_of_session", (name,), now, max_crashes)
    connection.execute(statement("key_forget_expired"), (now,))
    return jobs


def request_abort(connection: sqlite3.Connection, job_id: UUID) -> str | None:
    """Note that a running job shall end, and return its queue."""
    found = connection.execute(statement("job_request_abort"), (job_id.bytes,)).fetchall()
    return found[0][0] if found else None


def abort_requests(connection: sqlite3.Connection) -> dict[bytes, int]:
    """Return the tokens of the running jobs that shall end."""
    return dict(connection.execute(statement("job_abort_requests")).fetchall())


def extend(connection: sqlite3.Connection, session: str, lease_end: int) -> dict[bytes, int]:
    """Start all leases of the session anew, and return their tokens by job."""
    return dict(connection.execute(statement("job_extend"), (lease_end, session)).fetchall())


def get(connection: sqlite3.Connection, job_id: UUID) -> Row | None:
    """Return the row of a job."""
    return _select(connection, job_id)


def list_rows(connection: sqlite3.Connection, which: JobFilter) -> list[Row]:
    """Return the rows of a page, newest first."""
    before = None
    if which.after is not None:
        found = connection.execute(statement("job_seq"), (which.after.bytes,)).fetchone()
        if found is None:
            raise unknown_page(which.after)
        before = found[0]
    values = {
        "before": before,
        "queue_name": which.queue_name,
        "status": None if which.status is None else which.status.value,
        "job_type": which.job_type,
        "error_contains": which.error_contains,
        "created_after": None if which.created_after is None else microseconds(which.created_after),
        "created_before": None if which.created_before is None else microseconds(which.created_before),
        "limit": max(which.limit, 0),
    }
    return connection.execute(statement("job_list"), values).fetchall()


def _select(connection: sqlite3.Connection, job_id: UUID) -> Row | None:
    row: Row | None = connection.execute(statement("job_select"), (job_id.bytes,)).fetchone()
    return row


def _end_run(connection: sqlite3.Connection, row: Row, job: Job, run_at: int, now: int) -> Job:
    """Store what became of a running job; it does not wait again when somebody asked for its end."""
    if row[ABORT] and not job.status.is_final:
        job = job_lifecycle.aborted(job_from_row(row), moment(now))
    return _store_back(connection, job, run_at, now)


def _store_back(connection: sqlite3.Connection, job: Job, run_at: int, now: int) -> Job:
    connection.execute(statement("job_store_back"), stored_back_row(job, run_at, now))
    return job
