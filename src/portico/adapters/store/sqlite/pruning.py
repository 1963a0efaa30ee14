"""Forgetting what was kept long enough, in transactions so small that nobody waits for them."""

import sqlite3
from collections.abc import Iterable, Sequence

from portico.adapters.store.sqlite.rows import Row
from portico.adapters.store.sqlite.statements import statement
from portico.ports.job import JobStatus
from portico.runtime.documents import decode

BATCH = 500
_PAGES_AT_ONCE = 500
_SPARE_PAGES = 4_000
_KEY = '"idempotency_key":'


def prune_jobs(connection: sqlite3.Connection, statuses: Iterable[JobStatus], ended_before: int, held_for: int) -> int:
    """Delete some jobs that ended like this before the moment; their idempotency keys are held on."""
    deleted = 0
    for (queue_name,) in connection.execute(statement("job_queues_with_ended")).fetchall():
        for status in statuses:
            values = (queue_name, status.value, ended_before, BATCH - deleted)
            rows = connection.execute(statement("job_prune"), values).fetchall()
            _hold_keys(connection, rows, held_for)
            deleted += len(rows)
    return deleted


def prune_events(connection: sqlite3.Connection, received_before: int) -> int:
    """Delete some events that came before the moment."""
    return connection.execute(statement("event_prune"), (received_before, BATCH)).rowcount


def give_back_space(connection: sqlite3.Connection) -> bool:
    """Return some of the file's empty pages to the system; False when what is left is worth keeping for new jobs."""
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    empty = connection.execute("PRAGMA freelist_count").fetchone()[0]
    if empty < _SPARE_PAGES or empty < pages // 4:
        return False
    connection.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
    return bool(connection.execute("PRAGMA freelist_count").fetchone()[0] < empty)


def _hold_keys(connection: sqlite3.Connection, rows: Sequence[Row], held_for: int) -> None:
    held = [
        (status, ended_at + held_for, queue_name, decode(metadata)["idempotency_key"], job_id)
        for job_id, status, ended_at, queue_name, metadata in rows
        if _KEY in metadata and decode(metadata).get("idempotency_key")
    ]
    connection.executemany(statement("key_outlive"), held)
