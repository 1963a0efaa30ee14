"""Trigger store and event inbox of a process that was given none; gone with it."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import dropwhile, islice
from typing import Any
from uuid import UUID

from typing_extensions import override

from portico.ports.clock import Clock
from portico.ports.event_inbox import EventInbox, EventOutcome, InboxEvent
from portico.ports.trigger_store import StoredValue, TriggerStore
from portico.runtime.clock import SystemClock

DEFAULT_MAX_EVENTS = 1_000


@dataclass(frozen=True)
class _Lease:
    holder: str
    expires_at: datetime


class MemoryTriggerStore(TriggerStore):
    """Values and leases in dictionaries."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._values: dict[str, dict[str, StoredValue]] = {}
        self._leases: dict[tuple[str, str], _Lease] = {}

    @override
    async def initialize(self) -> None: ...

    @override
    async def close(self) -> None: ...

    @override
    async def now(self) -> datetime:
        return self._clock.now()

    @override
    async def get(self, trigger: str, key: str) -> StoredValue | None:
        return self._values.get(trigger, {}).get(key)

    @override
    async def entries(self, trigger: str) -> Mapping[str, StoredValue]:
        return dict(self._values.get(trigger, {}))

    @override
    async def compare_and_set(self, trigger: str, key: str, value: Any, *, expected_version: int) -> int | None:
        if self._version(trigger, key) != expected_version:
            return None
        self._put(trigger, key, value)
        return expected_version + 1

    @override
    async def put_many(self, trigger: str, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            self._put(trigger, key, value)

    @override
    async def delete_many(self, trigger: str, keys: frozenset[str]) -> None:
        values = self._values.get(trigger, {})
        for key in keys:
            values.pop(key, None)

    @override
    async def acquire_lease(self, trigger: str, key: str, holder: str, seconds: float) -> bool:
        now = self._clock.now()
        lease = self._leases.get((trigger, key))
        if lease is not None and lease.holder != holder and lease.expires_at > now:
            return False
        self._leases[trigger, key] = _Lease(holder, now + timedelta(seconds=seconds))
        return True

    @override
    async def release_lease(self, trigger: str, key: str, holder: str) -> None:
        lease = self._leases.get((trigger, key))
        if lease is not None and lease.holder == holder:
            del self._leases[trigger, key]

    def _version(self, trigger: str, key: str) -> int:
        stored = self._values.get(trigger, {}).get(key)
        return 0 if stored is None else stored.version

    def _put(self, trigger: str, key: str, value: Any) -> None:
        version = self._version(trigger, key) + 1
        self._values.setdefault(trigger, {})[key] = StoredValue(value, version)


class MemoryEventInbox(EventInbox):
    """The newest events; the oldest give way beyond `max_events`."""

    def __init__(self, *, max_events: int = DEFAULT_MAX_EVENTS) -> None:
        self._events: deque[InboxEvent] = deque(maxlen=max_events)

    @override
    async def initialize(self) -> None: ...

    @override
    async def close(self) -> None: ...

    @override
    async def record(self, event: InboxEvent) -> None:
        self._events.appendleft(event)

    @override
    async def get(self, event_id: UUID) -> InboxEvent | None:
        return next((event for event in self._events if event.id == event_id), None)

    @override
    async def list_events(
        self,
        *,
        trigger: str | None = None,
        outcome: EventOutcome | None = None,
        limit: int = 100,
        before: UUID | None = None,
    ) -> list[InboxEvent]:
        events = iter(self._events)
        if before is not None:
            events = islice(dropwhile(lambda event: event.id != before, events), 1, None)
        wanted = (event for event in events if trigger in (None, event.trigger) and outcome in (None, event.outcome))
        return list(islice(wanted, limit))

    @override
    async def prune(self, *, received_before: datetime) -> int:
        kept = [event for event in self._events if event.received_at >= received_before]
        pruned = len(self._events) - len(kept)
        self._events = deque(kept, maxlen=self._events.maxlen)
        return pruned
