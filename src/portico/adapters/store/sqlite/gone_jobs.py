"""What is left of a job that is gone, for as long as its idempotency key is held."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from portico.adapters.job_store import with_fields
from portico.adapters.store.sqlite.rows import (
    COMPLETED_AT,
    ENDED,
    FAILED_AT,
    ID,
    METADATA,
    PAYLOAD,
    QUEUE,
    RESULT,
    STATE,
    STATUS,
    Row,
    job_from_row,
)
from portico.adapters.store.sqlite.statements import chunks, statement
from portico.ports.job import Job, JobStatus
from portico.runtime.documents import decode

_NO_PAYLOAD = "{}"


def outlive(connection: sqlite3.Connection, row: Row, now: int, held_for: int, *, is_erased: bool) -> None:
    """Hold the key of a job that is about to go, and keep what it answers with: all, or all but payload and result."""
    key = decode(row[METADATA]).get("idempotency_key")
    if not key:
        return
    status = row[STATUS] if row[STATE] == ENDED else JobStatus.FAILED.value
    expires_at = (row[COMPLETED_AT] or row[FAILED_AT] or now) + held_for
    if not connection.execute(statement("key_outlive"), (status, expires_at, row[QUEUE], key, row[ID])).rowcount:
        # another job has it by now
        return
    gone = [*row[: RESULT + 1], expires_at]
    gone[STATUS] = status
    if is_erased:
        gone[PAYLOAD] = gone[RESULT] = None
    connection.execute(statement("gone_keep"), gone)


def find(connection: sqlite3.Connection, job_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Return what is left of the jobs."""
    return {UUID(bytes=row[ID]): row for row in _rows(connection, [job_id.bytes for job_id in job_ids])}


def job_of(row: Row, payload: dict[str, Any]) -> Job:
    """Return the job as it was, with this payload where its own was erased."""
    if row[PAYLOAD] is not None:
        return job_from_row(row)
    return with_fields(job_from_row((*row[:PAYLOAD], _NO_PAYLOAD, *row[PAYLOAD + 1 :])), payload=payload)


def forget(connection: sqlite3.Connection, now: int) -> None:
    """Drop what was held long enough."""
    connection.execute(statement("key_forget_expired"), (now,))
    connection.execute(statement("gone_forget"), (now,))


def _rows(connection: sqlite3.Connection, job_ids: Sequence[bytes]) -> Iterable[Row]:
    for chunk in chunks(job_ids):
        yield from connection.execute(statement("gone_select", len(chunk)), chunk)
