"""What triggers remember, on Redis."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from typing_extensions import override

from portico.adapters.store.redis.store import RedisStore
from portico.adapters.stored_moments import moment
from portico.ports.trigger_store import StoredValue, TriggerStore
from portico.runtime.documents import decode, encode

_SECOND = 1_000_000


class RedisTriggerStore(TriggerStore):
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
    async def now(self) -> datetime:
        await self._store.open(self)
        return moment(await self._store.time())

    @override
    async def get(self, trigger: str, key: str) -> StoredValue | None:
        await self._store.open(self)
        stored = await self._store.command("HGET", self._values(trigger), key)
        return None if stored is None else _value(stored)

    @override
    async def entries(self, trigger: str) -> Mapping[str, StoredValue]:
        await self._store.open(self)
        stored = await self._store.command("HGETALL", self._values(trigger))
        return {key.decode(): _value(value) for key, value in zip(stored[::2], stored[1::2], strict=True)}

    @override
    async def compare_and_set(self, trigger: str, key: str, value: Any, *, expected_version: int) -> int | None:
        text = encode(value, "value")
        await self._store.open(self)
        version: int | None = await self._store.run("trigger_put", trigger, expected_version, key, text)
        return version

    @override
    async def put_many(self, trigger: str, values: Mapping[str, Any]) -> None:
        pairs = [part for key, value in values.items() for part in (key, encode(value, "value"))]
        await self._store.open(self)
        await self._store.run("trigger_put", trigger, "", *pairs, is_repeatable=True)

    @override
    async def delete_many(self, trigger: str, keys: frozenset[str]) -> None:
        await self._store.open(self)
        if keys:
            await self._store.command("HDEL", self._values(trigger), *keys)

    @override
    async def acquire_lease(self, trigger: str, key: str, holder: str, seconds: float) -> bool:
        await self._store.open(self)
        length = round(seconds * _SECOND)
        return bool(await self._store.run("trigger_lease", trigger, key, holder, length, is_repeatable=True))

    @override
    async def release_lease(self, trigger: str, key: str, holder: str) -> None:
        await self._store.open(self)
        await self._store.run("trigger_lease", trigger, key, holder, "", is_repeatable=True)

    def _values(self, trigger: str) -> str:
        return self._store.key(f"values:{trigger}")


def _value(stored: bytes) -> StoredValue:
    version, _, text = stored.partition(b" ")
    return StoredValue(decode(text.decode()), int(version))
