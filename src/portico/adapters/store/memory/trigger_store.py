"""What triggers remember, for as long as the process lives."""

import itertools
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from typing_extensions import override

from portico.adapters.documents import decode, encode
from portico.ports.clock import Clock
from portico.ports.trigger_store import StoredValue, TriggerStore
from portico.runtime.clock import SystemClock


class MemoryTriggerStore(TriggerStore):
    """Values are kept as text, so that nobody outside holds an object that is stored here."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._values: dict[str, dict[str, tuple[str, int]]] = {}
        self._versions = itertools.count(1)
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


def _value(stored: tuple[str, int]) -> StoredValue:
    text, version = stored
    return StoredValue(decode(text), version)
