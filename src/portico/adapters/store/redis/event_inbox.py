"""What came from outside, on Redis."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from typing_extensions import override

from portico.adapters.store.redis.store import RedisStore
from portico.adapters.store.redis.wire import Argument
from portico.adapters.stored_moments import microseconds, moment
from portico.exceptions import ResourceNotFoundError
from portico.ports.event_inbox import EventInbox, EventOutcome, InboxEvent
from portico.runtime.documents import decode, encode, storable

_AT_ONCE = 500
# their bodies may be large
_RECORDED_AT_ONCE = 50


class RedisEventInbox(EventInbox):
    """Opens the store on `initialize`, or on first use, and leaves it on `close`."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    @override
    async def initialize(self) -> None:
        await self._store.open(self)

    @override
    async def close(self) -> None:
        await self._store.close(self)

    @override
    async def record(self, event: InboxEvent) -> None:
        await self.record_many([event])

    @override
    async def record_many(self, events: Sequence[InboxEvent]) -> None:
        records = [_record(event) for event in events]
        await self._store.open(self)
        for start in range(0, len(records), _RECORDED_AT_ONCE):
            parts = [part for record in records[start : start + _RECORDED_AT_ONCE] for part in record]
            await self._store.run("event_record", *parts, is_repeatable=True)

    @override
    async def get(self, event_id: UUID) -> InboxEvent | None:
        await self._store.open(self)
        found = await self._with_bodies(await self._events([event_id.bytes]))
        return found[0] if found else None

    @override
    async def list_events(
        self,
        *,
        trigger: str | None = None,
        outcome: EventOutcome | None = None,
        limit: int = 100,
        before: UUID | None = None,
    ) -> list[InboxEvent]:
        await self._store.open(self)
        below = "+inf" if before is None else await self._below(before)
        events: list[InboxEvent] = []
        while len(events) < limit and (order := await self._page(below)):
            below = f"({order[-1].decode()}"
            events += [
                event
                for event in await self._events(order[::2])
                if trigger in (None, event.trigger) and outcome in (None, event.outcome)
            ]
        return await self._with_bodies(events[: max(limit, 0)])

    @override
    async def prune(self, *, received_before: datetime) -> int:
        await self._store.open(self)
        pruned, until = 0, microseconds(received_before)
        while count := await self._store.run("event_prune", until, _AT_ONCE):
            pruned += count
        return pruned

    async def _below(self, event_id: UUID) -> str:
        score = await self._store.command("ZSCORE", self._store.key("event_order"), event_id.bytes)
        if score is None:
            message = f"there is no event {event_id} to list on from"
            raise ResourceNotFoundError(message)
        return f"({score.decode()}"

    async def _page(self, below: str) -> list[bytes]:
        """Return ids and their numbers in turn."""
        names = ("ZRANGE", self._store.key("event_order"), below, "-inf", "BYSCORE", "REV", "LIMIT", 0, _AT_ONCE)
        page: list[bytes] = await self._store.command(*names, "WITHSCORES")
        return page

    async def _events(self, ids: list[bytes]) -> list[InboxEvent]:
        """Return the events without their bodies, which may be large."""
        texts = await self._store.command("HMGET", self._store.key("events"), *ids)
        return [_event(event_id, text) for event_id, text in zip(ids, texts, strict=True) if text is not None]

    async def _with_bodies(self, events: list[InboxEvent]) -> list[InboxEvent]:
        if not events:
            return events
        ids = [event.id.bytes for event in events]
        bodies = await self._store.command("HMGET", self._store.key("event_bodies"), *ids)
        return [replace(event, body=body) for event, body in zip(events, bodies, strict=True)]


def _record(event: InboxEvent) -> tuple[Argument, ...]:
    has_body = "0" if event.body is None else "1"
    return (event.id.bytes, _text(event), microseconds(event.received_at), has_body, event.body or b"")


def _text(event: InboxEvent) -> str:
    fields = [
        event.trigger,
        microseconds(event.received_at),
        event.outcome.value,
        storable(event.reason),
        storable(event.source_id),
        [str(job_id) for job_id in event.job_ids],
        dict(event.headers),
    ]
    return encode(fields, "event")


def _event(event_id: bytes, text: bytes) -> InboxEvent:
    trigger, received_at, outcome, reason, source_id, job_ids, headers = decode(text.decode())
    return InboxEvent(
        id=UUID(bytes=event_id),
        trigger=trigger,
        received_at=moment(received_at),
        outcome=EventOutcome(outcome),
        reason=reason,
        source_id=source_id,
        job_ids=tuple(UUID(job_id) for job_id in job_ids),
        headers=headers,
    )
