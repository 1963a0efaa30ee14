"""The latest events, for as long as the process lives."""

from datetime import datetime
from itertools import islice
from uuid import UUID

from typing_extensions import override

from portico.exceptions import ConfigurationError, ResourceNotFoundError
from portico.ports.event_inbox import EventInbox, EventOutcome, InboxEvent


class MemoryEventInbox(EventInbox):
    """Keeps the latest `capacity` events and forgets the oldest beyond."""

    def __init__(self, *, capacity: int = 1000) -> None:
        if capacity < 1:
            message = f"capacity must be at least 1, not {capacity}"
            raise ConfigurationError(message)
        self._capacity = capacity
        self._events: dict[UUID, InboxEvent] = {}

    @override
    async def initialize(self) -> None:
        pass

    @override
    async def close(self) -> None:
        pass

    @override
    async def record(self, event: InboxEvent) -> None:
        # an event that is recorded again keeps its place
        self._events[event.id] = event
        if len(self._events) > self._capacity:
            del self._events[next(iter(self._events))]

    @override
    async def get(self, event_id: UUID) -> InboxEvent | None:
        return self._events.get(event_id)

    @override
    async def list_events(
        self,
        *,
        trigger: str | None = None,
        outcome: EventOutcome | None = None,
        limit: int = 100,
        before: UUID | None = None,
    ) -> list[InboxEvent]:
        if before is not None and before not in self._events:
            message = f"there is no event {before} to list on from"
            raise ResourceNotFoundError(message)
        newest_first = reversed(self._events.values())
        if before is not None:
            for event in newest_first:
                if event.id == before:
                    break
        matching = (
            event
            for event in newest_first
            if (trigger is None or event.trigger == trigger) and (outcome is None or event.outcome is outcome)
        )
        return list(islice(matching, limit))

    @override
    async def prune(self, *, received_before: datetime) -> int:
        old = [event.id for event in self._events.values() if event.received_at < received_before]
        for event_id in old:
            del self._events[event_id]
        return len(old)
