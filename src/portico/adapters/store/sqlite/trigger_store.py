"""What triggers remember, in an SQLite file."""

import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from typing_extensions import override

from portico.adapters.store.sqlite.statements import statement
from portico.adapters.store.sqlite.store import SqliteStore
from portico.adapters.store_user import StoreUser
from portico.adapters.stored_moments import microseconds
from portico.ports.clock import Clock
from portico.ports.trigger_store import StoredValue, TriggerStore
from portico.runtime.clock import SystemClock
from portico.runtime.documents import decode, encode


class SqliteTriggerStore(TriggerStore):
    """Opens the store on `initialize`, or on first use, and leaves it on `close`."""

    def __init__(self, store: SqliteStore, *, clock: Clock | None = None) -> None:
        self._user = StoreUser(store)
        self._clock = clock or SystemClock()

    @override
    async def initialize(self) -> None:
        await self._user.open()

    @override
    async def close(self) -> None:
        await self._user.close()

    @override
    async def now(self) -> datetime:
        return self._clock.now()

    @override
    async def get(self, trigger: str, key: str) -> StoredValue | None:
        store = await self._user.open()
        row = await store.read(
            lambda connection: connection.execute(statement("trigger_get"), (trigger, key)).fetchone()
        )
        return None if row is None else StoredValue(decode(row[0]), row[1])

    @override
    async def entries(self, trigger: str) -> Mapping[str, StoredValue]:
        store = await self._user.open()
        rows = await store.read(
            lambda connection: connection.execute(statement("trigger_entries"), (trigger,)).fetchall()
        )
        return {key: StoredValue(decode(value), version) for key, value, version in rows}

    @override
    async def compare_and_set(self, trigger: str, key: str, value: Any, *, expected_version: int) -> int | None:
        text = encode(value, "value")
        store = await self._user.open()
        return await store.write(
            lambda connection: _compare_and_set(connection, (trigger, key, text), expected_version)
        )

    @override
    async def put_many(self, trigger: str, values: Mapping[str, Any]) -> None:
        texts = {key: encode(value, "value") for key, value in values.items()}
        store = await self._user.open()
        await store.write(lambda connection: _put_many(connection, trigger, texts))

    @override
    async def delete_many(self, trigger: str, keys: frozenset[str]) -> None:
        store = await self._user.open()
        names = [(trigger, key) for key in keys]
        await store.write(lambda connection: connection.executemany(statement("trigger_delete"), names).rowcount)

    @override
    async def acquire_lease(self, trigger: str, key: str, holder: str, seconds: float) -> bool:
        now = self._clock.now()
        values = {
            "trigger": trigger,
            "key": key,
            "holder": holder,
            "expires_at": microseconds(now + timedelta(seconds=seconds)),
            "now": microseconds(now),
        }
        store = await self._user.open()
        taken = await store.write(lambda connection: connection.execute(statement("lease_acquire"), values).fetchall())
        return bool(taken)

    @override
    async def release_lease(self, trigger: str, key: str, holder: str) -> None:
        store = await self._user.open()
        await store.write(
            lambda connection: connection.execute(statement("lease_release"), (trigger, key, holder)).rowcount
        )


def _compare_and_set(connection: sqlite3.Connection, named: tuple[str, str, str], expected_version: int) -> int | None:
    found = connection.execute(statement("trigger_get"), named[:2]).fetchone()
    version = 0 if found is None else found[1]
    return _put(connection, named) if version == expected_version else None


def _put_many(connection: sqlite3.Connection, trigger: str, texts: Mapping[str, str]) -> None:
    for key, text in texts.items():
        _put(connection, (trigger, key, text))


def _put(connection: sqlite3.Connection, named: tuple[str, str, str]) -> int:
    # all rows are fetched: an update that returns is not over before
    [[version]] = connection.execute(statement("trigger_next_version")).fetchall()
    connection.execute(statement("trigger_put"), (*named, version))
    return int(version)
