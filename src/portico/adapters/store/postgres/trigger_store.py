"""What triggers remember, in a PostgreSQL database."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from typing_extensions import override

from portico.adapters.store.postgres.rows import text
from portico.adapters.store.postgres.store import PostgresStore
from portico.adapters.store_user import StoreUser
from portico.ports.trigger_store import StoredValue, TriggerStore
from portico.runtime.documents import decode, encode


class PostgresTriggerStore(TriggerStore):
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
    async def now(self) -> datetime:
        store = await self._user.open()
        fixed = store.now()
        if fixed is not None:
            return fixed
        now: datetime = (await store.fetch("now", is_repeatable=True))[0][0]
        return now

    @override
    async def get(self, trigger: str, key: str) -> StoredValue | None:
        store = await self._user.open()
        rows = await store.fetch("trigger_get", trigger, key, is_repeatable=True)
        return StoredValue(decode(rows[0][0]), rows[0][1]) if rows else None

    @override
    async def entries(self, trigger: str) -> Mapping[str, StoredValue]:
        store = await self._user.open()
        rows = await store.fetch("trigger_entries", trigger, is_repeatable=True)
        return {key: StoredValue(decode(value), version) for key, value, version in rows}

    @override
    async def compare_and_set(self, trigger: str, key: str, value: Any, *, expected_version: int) -> int | None:
        values = (text("trigger", trigger), text("key", key), encode(value, "value"))
        store = await self._user.open()
        if expected_version == 0:
            rows = await store.fetch("trigger_insert", *values)
        else:
            rows = await store.fetch("trigger_update", *values, expected_version)
        return rows[0][0] if rows else None

    @override
    async def put_many(self, trigger: str, values: Mapping[str, Any]) -> None:
        keys = [text("key", key) for key in values]
        texts = [encode(value, "value") for value in values.values()]
        store = await self._user.open()
        await store.fetch("trigger_put_many", text("trigger", trigger), keys, texts, is_repeatable=True)

    @override
    async def delete_many(self, trigger: str, keys: frozenset[str]) -> None:
        store = await self._user.open()
        await store.fetch("trigger_delete_many", trigger, list(keys), is_repeatable=True)

    @override
    async def acquire_lease(self, trigger: str, key: str, holder: str, seconds: float) -> bool:
        values = (text("trigger", trigger), text("key", key), text("holder", holder), timedelta(seconds=seconds))
        store = await self._user.open()
        return bool(await store.fetch("lease_acquire", *values, store.now(), is_repeatable=True))

    @override
    async def release_lease(self, trigger: str, key: str, holder: str) -> None:
        store = await self._user.open()
        await store.fetch("lease_release", trigger, key, holder, is_repeatable=True)
