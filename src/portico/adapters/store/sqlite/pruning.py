"""Forgetting what was kept long enough, in transactions so small that nobody waits for them."""

import sqlite3
from collections.abc import Iterable

from portico.adapters.store.sqlite import gone_jobs
from portico.adapters.store.sqlite.statements import chunks, statement
from portico.ports.job import JobStatus

BATCH = 500
_PAGES_AT_ONCE = 500
_SPARE_PAGES = 4_000
_KEY = '"idempotency_key":'


def prune_jobs(
    connection: sqlite3.Connection, statuses: Iterable[JobStatus], ended_before: int, held_for: int, now: int
) -> int:
    """Delete some jobs that ended like this before the moment; their idempotency keys are held on."""
    deleted = 0
    for (queue_name,) in connection.execute(statement("job_queues_with_ended")).fetchall():
        for status in statuses:
            values = (queue_name, status.value, ended_before, BATCH - deleted)
            ended = connection.execute(statement("job_ended_before"), values).fetchall()
            for chunk in chunks([job_id for job_id, metadata in ended if _KEY in metadata]):
                for row in connection.execute(statement("job_select", len(chunk)), chunk).fetchall():
                    gone_jobs.outlive(connection, row, now, held_for, is_erased=False)
            for chunk in chunks([job_id for job_id, _ in ended]):
                connection.execute(statement("job_delete", len(chunk)), chunk)
            deleted += len(ended)
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
