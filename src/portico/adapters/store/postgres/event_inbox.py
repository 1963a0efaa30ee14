"""What came from outside, in a PostgreSQL database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from typing_extensions import override

from portico.adapters.store.postgres.connections import Row
from portico.adapters.store.postgres.rows import message, text
from portico.adapters.store.postgres.store import PostgresStore
from portico.adapters.store_user import StoreUser
from portico.exceptions import ResourceNotFoundError
from portico.ports.event_inbox import EventInbox, EventOutcome, InboxEvent
from portico.runtime.documents import decode, encode, storable


class PostgresEventInbox(EventInbox):
    """Opens the store on `initialize`, or on first use, and leaves it on `close`."""

    def __init__(self, store: PostgresStore) -> None:
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
        if not events:
            return
        # one statement cannot change a row twice
        latest = {event.id: event for event in events}
        columns = zip(*(_values(event) for event in latest.values()), strict=True)
        store = await self._user.open()
        await store.fetch("event_record", *columns, is_repeatable=True)

    @override
    async def get(self, event_id: UUID) -> InboxEvent | None:
        store = await self._user.open()
        rows = await store.fetch("event_get", event_id, is_repeatable=True)
        return _event(rows[0]) if rows else None

    @override
    async def list_events(
        self,
        *,
        trigger: str | None = None,
        outcome: EventOutcome | None = None,
        limit: int = 100,
        before: UUID | None = None,
    ) -> list[InboxEvent]:
        store = await self._user.open()
        seq = None if before is None else await _seq(store, before)
        wanted = None if outcome is None else outcome.value
        rows = await store.fetch("event_list", seq, trigger, wanted, max(limit, 0), is_repeatable=True)
        return [_event(row) for row in rows]

    @override
    async def prune(self, *, received_before: datetime) -> int:
        store = await self._user.open()
        return len(await store.fetch("event_prune", received_before))


async def _seq(store: PostgresStore, event_id: UUID) -> int:
    found = await store.fetch("event_seq", event_id, is_repeatable=True)
    if not found:
        problem = f"there is no event {event_id} to list on from"
        raise ResourceNotFoundError(problem)
    seq: int = found[0][0]
    return seq


def _values(event: InboxEvent) -> tuple[Any, ...]:
    return (
        event.id,
        text("trigger", event.trigger),
        event.received_at,
        event.outcome.value,
        message(storable(event.reason)),
        message(storable(event.source_id)),
        "{" + ",".join(map(str, event.job_ids)) + "}",
        encode(dict(event.headers), "headers"),
        event.body,
    )


def _event(row: Row) -> InboxEvent:
    return InboxEvent(
        id=UUID(int=row[0].int),
        trigger=row[1],
        received_at=row[2],
        outcome=EventOutcome(row[3]),
        reason=row[4],
        source_id=row[5],
        job_ids=tuple(UUID(int=job_id.int) for job_id in row[6]),
        headers=decode(row[7]),
        body=row[8],
    )
