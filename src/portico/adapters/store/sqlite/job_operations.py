"""What is done to jobs, as plain functions of a connection; each runs inside one transaction of the writer."""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from uuid import UUID

from portico.adapters.job_store import Holding, JobFilter, unique_key_taken, unknown_page
from portico.adapters.store.sqlite import gone_jobs, slots
from portico.adapters.store.sqlite.rows import ABORT, ID, RUNNING, STATE, TOKEN, Row, job_from_row, stored_back_row
from portico.adapters.store.sqlite.statements import chunks, statement
from portico.adapters.stored_moments import microseconds, moment
from portico.ports import job_lifecycle
from portico.ports.job import Job, JobStatus

Transition = Callable[[Job], Job]
Queues = frozenset[str]
"""The queues that have something to claim since."""
Answer = tuple[bytes, int | None, str | None]
"""A completed job's id, the token that its worker shows, and the result."""
_FAILURES = frozenset({JobStatus.FAILED, JobStatus.DEAD_LETTER})


def complete(connection: sqlite3.Connection, answers: Sequence[Answer], now: int) -> tuple[set[bytes], Queues]:
    """Complete the running jobs among them whose token fits, and return their ids."""
    done: set[bytes] = set()
    for chunk in chunks(answers):
        values = [value for answer in chunk for value in answer]
        rows = connection.execute(statement("job_complete", len(chunk)), [*values, now])
        done.update(row[0] for row in rows)
    return done, slots.free(connection, [*done], now)


def change_running(
    connection: sqlite3.Connection, holding: Holding, transition: Transition, run_at: int, now: int
) -> Queues | None:
    """Store what the transition makes of a running job; None when it does not match."""
    row = _select(connection, holding.job_id)
    if row is None or row[STATE] != RUNNING or holding.token not in (None, row[TOKEN]):
        return None
    return _end_run(connection, row, transition(job_from_row(row)), run_at, now)


def cancel(connection: sqlite3.Connection, job_id: UUID, now: int) -> Queues | None:
    """Cancel a waiting job; None when it does not wait."""
    job = _find(connection, job_id, job_lifecycle.cancelled)
    if job is None:
        return None
    queues = slots.pass_on(connection, job_id, now)
    _store_back(connection, job_lifecycle.cancelled(job, moment(now)), now, now)
    return queues


def revive(connection: sqlite3.Connection, job_id: UUID, now: int) -> Queues | None:
    """Make a failed job PENDING; `ConflictError` when another has its unique key."""
    job = _find(connection, job_id, job_lifecycle.revived)
    if job is None:
        return None
    holder = connection.execute(statement("job_unique_holder"), (job_id.bytes,)).fetchone()
    if holder is not None:
        raise unique_key_taken(job_id, UUID(bytes=holder[0]))
    _store_back(connection, job_lifecycle.revived(job), now, now)
    return frozenset([job.queue_name])


def delete(connection: sqlite3.Connection, job_id: UUID, now: int, held_for: int) -> Queues | None:
    """Delete a job that is not running; its idempotency key is held on."""
    row = _select(connection, job_id)
    if row is None or row[STATE] == RUNNING:
        return None
    gone_jobs.outlive(connection, row, now, held_for, is_erased=True)
    queues = slots.pass_on(connection, job_id, now)
    connection.execute(statement("job_delete"), (job_id.bytes,))
    return queues


def give_back(
    connection: sqlite3.Connection, which: str, values: tuple[object, ...], now: int, max_crashes: int
) -> list[Queues]:
    """Store the jobs of a select as crashed."""
    rows = connection.execute(statement(which), values).fetchall()
    jobs = [job_lifecycle.crashed(job_from_row(row), moment(now), max_crashes=max_crashes) for row in rows]
    return [_end_run(connection, row, job, now, now) for row, job in zip(rows, jobs, strict=True)]


def release(connection: sqlite3.Connection, rows: Iterable[Row], now: int) -> Queues:
    """Give back, without a crash, those of the claimed rows that are still held."""
    queues: set[str] = set()
    for row in rows:
        holding = Holding(UUID(bytes=row[ID]), row[TOKEN])
        queues |= change_running(connection, holding, job_lifecycle.released, now, now) or set()
    return frozenset(queues)


def release_session(connection: sqlite3.Connection, session: str, now: int) -> Queues:
    """Give back, without a crash, what a session that ends still holds."""
    return release(connection, connection.execute(statement("job_select_of_session"), (session,)).fetchall(), now)


def recover(
    connection: sqlite3.Connection, dead: Collection[str], now: int, max_crashes: int, at_least: int
) -> tuple[int, Queues]:
    """Give back what expired and what dead sessions held, and forget keys whose time is over; count the jobs."""
    ended = give_back(connection, "job_select_expired", (now,), now, max_crashes)
    for name in dead:
        ended += give_back(connection, "job_select_of_session", (name,), now, max_crashes)
    gone_jobs.forget(connection, now)
    return len(ended), slots.sweep(connection, now, at_least).union(*ended)


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
    # failures have an index; whatever else is listed is walked from the newest on
    name = "job_list_failed" if which.status in _FAILURES else "job_list"
    return connection.execute(statement(name), values).fetchall()


def _select(connection: sqlite3.Connection, job_id: UUID) -> Row | None:
    row: Row | None = connection.execute(statement("job_select"), (job_id.bytes,)).fetchone()
    return row


def _find(connection: sqlite3.Connection, job_id: UUID, transition: Callable[..., Job]) -> Job | None:
    """Return the job if the transition may start where it is."""
    row = _select(connection, job_id)
    if row is None:
        return None
    job = job_from_row(row)
    return job if job.status in job_lifecycle.TRANSITIONS[transition] else None


def _end_run(connection: sqlite3.Connection, row: Row, job: Job, run_at: int, now: int) -> Queues:
    """Store what became of a running job; it does not wait again when somebody asked for its end."""
    if row[ABORT] and not job.status.is_final:
        job = job_lifecycle.aborted(job_from_row(row), moment(now))
    _store_back(connection, job, run_at, now)
    freed = slots.free(connection, [row[ID]], now)
    return freed if job.status.is_final else freed | {job.queue_name}


def _store_back(connection: sqlite3.Connection, job: Job, run_at: int, now: int) -> None:
    connection.execute(statement("job_store_back"), stored_back_row(job, run_at, now))
