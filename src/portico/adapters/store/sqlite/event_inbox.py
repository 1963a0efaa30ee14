"""What came from outside, in an SQLite file."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from typing_extensions import override

from portico.adapters.store.sqlite.pruning import BATCH, prune_events
from portico.adapters.store.sqlite.rows import Row
from portico.adapters.store.sqlite.statements import statement
from portico.adapters.store.sqlite.store import SqliteStore
from portico.adapters.store_user import StoreUser
from portico.adapters.stored_moments import microseconds, moment
from portico.exceptions import ResourceNotFoundError
from portico.ports.event_inbox import EventInbox, EventOutcome, InboxEvent
from portico.runtime.documents import decode, encode, storable

_ABSENT = 0
"""What ``event_record`` stores as NULL; no text and no bytes are equal to it."""


class SqliteEventInbox(EventInbox):
    """Opens the store on `initialize`, or on first use, and leaves it on `close`."""

    def __init__(self, store: SqliteStore) -> None:
        self._user = StoreUser(store)

    @override
    async def initialize(self) -> None:
        await self._user.open()

    @override
    async def close(self) -> None:
        await self._user.close()

    @override
    async def record(self, event: InboxEvent) -> None:
        await self.record_many([event])

    @override
    async def record_many(self, events: Sequence[InboxEvent]) -> None:
        rows = [_row(event) for event in events]
        store = await self._user.open()
        await store.write(lambda connection: connection.executemany(statement("event_record"), rows).rowcount)

    @override
    async def get(self, event_id: UUID) -> InboxEvent | None:
        store = await self._user.open()
        row = await store.read(
            lambda connection: connection.execute(statement("event_get"), (event_id.bytes,)).fetchone()
        )
        return None if row is None else _event(row)

    @override
    async def list_events(
        self,
        *,
        trigger: str | None = None,
        outcome: EventOutcome | None = None,
        limit: int = 100,
        before: UUID | None = None,
    ) -> list[InboxEvent]:
        values = {
            "trigger": trigger,
            "outcome": None if outcome is None else outcome.value,
            "limit": max(limit, 0),
        }
        store = await self._user.open()
        rows = await store.read(lambda connection: _list(connection, values, before))
        return [_event(row) for row in rows]

    @override
    async def prune(self, *, received_before: datetime) -> int:
        some = partial(prune_events, received_before=microseconds(received_before))
        store = await self._user.open()
        deleted = batch = await store.write(some, rows=BATCH)
        while batch == BATCH:
            batch = await store.write(some, rows=BATCH)
            deleted += batch
        return deleted


def _list(connection: sqlite3.Connection, values: dict[str, Any], before: UUID | None) -> list[Row]:
    seq = None
    if before is not None:
        found = connection.execute(statement("event_seq"), (before.bytes,)).fetchone()
        if found is None:
            raise ResourceNotFoundError(f"there is no event {before} to list on from")
        seq = found[0]
    return connection.execute(statement("event_list"), {**values, "before": seq}).fetchall()


def _row(event: InboxEvent) -> Row:
    """Return the values of ``event_record``; neither None nor bytes, for which `sqlite3` looks for adapters first."""
    return (
        bytearray(event.id.bytes),
        event.trigger,
        microseconds(event.received_at),
        event.outcome.value,
        _ABSENT if event.reason is None else storable(event.reason),
        _ABSENT if event.source_id is None else storable(event.source_id),
        _ids_text(event.job_ids),
        encode(dict(event.headers), "headers"),
        _ABSENT if event.body is None else bytearray(event.body),
    )


def _ids_text(job_ids: Sequence[UUID]) -> str:
    quoted = ",".join([f'"{job_id}"' for job_id in job_ids])
    return f"[{quoted}]"


def _event(row: Row) -> InboxEvent:
    return InboxEvent(
        id=UUID(bytes=row[0]),
        trigger=row[1],
        received_at=moment(row[2]),
        outcome=EventOutcome(row[3]),
        reason=row[4],
        source_id=row[5],
        job_ids=tuple(UUID(job_id) for job_id in decode(row[6])),
        headers=decode(row[7]),
        body=row[8],
    )
