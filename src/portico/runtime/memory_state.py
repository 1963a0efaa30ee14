"""Trigger store and event inbox of a process that was given none; gone with it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Any
from uuid import UUID

from typing_extensions import override

from portico.exceptions import ConfigurationError, ResourceNotFoundError
from portico.ports.clock import Clock
from portico.ports.event_inbox import EventInbox, EventOutcome, InboxEvent
from portico.ports.trigger_store import StoredValue, TriggerStore
from portico.runtime.clock import SystemClock
from portico.runtime.documents import decode, encode

DEFAULT_MAX_EVENTS = 1_000


class MemoryTriggerStore(TriggerStore):
    """Values are kept as text, so that nobody outside holds an object that is stored here."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._values: dict[str, dict[str, tuple[str, int]]] = {}
        self._versions = count(1)
        self._leases: dict[tuple[str, str], tuple[str, datetime]] = {}

    @override
    async def initialize(self) -> None:
        pass

    @override
    async def close(self) -> None:
        pass

    @override
    async def now(self) -> datetime:
        return self._clock.now()

    @override
    async def get(self, trigger: str, key: str) -> StoredValue | None:
        stored = self._values.get(trigger, {}).get(key)
        return None if stored is None else _value(stored)

    @override
    async def entries(self, trigger: str) -> Mapping[str, StoredValue]:
        return {key: _value(stored) for key, stored in self._values.get(trigger, {}).items()}

    @override
    async def compare_and_set(self, trigger: str, key: str, value: Any, *, expected_version: int) -> int | None:
        text = encode(value, "value")
        _, version = self._values.get(trigger, {}).get(key, ("", 0))
        return self._put(trigger, key, text) if version == expected_version else None

    @override
    async def put_many(self, trigger: str, values: Mapping[str, Any]) -> None:
        texts = {key: encode(value, "value") for key, value in values.items()}
        for key, text in texts.items():
            self._put(trigger, key, text)

    @override
    async def delete_many(self, trigger: str, keys: frozenset[str]) -> None:
        values = self._values.get(trigger, {})
        for key in keys:
            values.pop(key, None)

    @override
    async def acquire_lease(self, trigger: str, key: str, holder: str, seconds: float) -> bool:
        now = self._clock.now()
        current, expires_at = self._leases.get((trigger, key), (holder, now))
        if current != holder and expires_at > now:
            return False
        self._leases[trigger, key] = (holder, now + timedelta(seconds=seconds))
        return True

    @override
    async def release_lease(self, trigger: str, key: str, holder: str) -> None:
        if self._leases.get((trigger, key), ("", None))[0] == holder:
            del self._leases[trigger, key]

    def _put(self, trigger: str, key: str, text: str) -> int:
        version = next(self._versions)
        self._values.setdefault(trigger, {})[key] = (text, version)
        return version


class MemoryEventInbox(EventInbox):
    """The newest events; the oldest give way beyond `max_events`."""

    def __init__(self, *, max_events: int = DEFAULT_MAX_EVENTS) -> None:
        if max_events < 1:
            raise ConfigurationError(f"max_events must be at least 1, not {max_events}")
        self._max_events = max_events
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
        if len(self._events) > self._max_events:
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
            raise ResourceNotFoundError(f"there is no event {before} to list on from")
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


def _value(stored: tuple[str, int]) -> StoredValue:
    text, version = stored
    return StoredValue(decode(text), version)
