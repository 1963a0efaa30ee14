"""Statements in a transaction that somebody else begins and ends."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from portico.adapters.store.postgres.connections import Row
from portico.adapters.store.postgres.failures import cause_of, explained
from portico.adapters.store.postgres.store import PostgresStore
from portico.exceptions import ConfigurationError


@dataclass(frozen=True)
class CallersTransaction:
    """Runs statements on the caller's connection; an error spoils the caller's transaction, as any error does there."""

    connection: Any
    store: PostgresStore

    @classmethod
    async def of(cls, connection: object, store: PostgresStore) -> Self:
        """Take an asyncpg connection, or SQLAlchemy's AsyncSession or AsyncConnection on asyncpg.

        Raises:
            ConfigurationError: it is neither.

        """
        if _is_of("asyncpg", "Connection", connection) or _is_of("asyncpg.pool", "PoolConnectionProxy", connection):
            return cls(connection, store)
        if _is_of("sqlalchemy.ext.asyncio", "AsyncSession", connection):
            connection = await _any(connection).connection()
        if _is_of("sqlalchemy.ext.asyncio", "AsyncConnection", connection):
            return cls(await _driver_connection(_any(connection)), store)
        raise _unusable(f"an object of type {type(connection).__name__}")

    async def fetch(self, name: str, *values: Any, is_repeatable: bool = False) -> Sequence[Row]:  # noqa: ARG002 - in a transaction nothing can be repeated
        """Run a statement."""
        try:
            rows: Sequence[Row] = await self.connection.fetch(self.store.statement(name), *values)
        except Exception as error:  # noqa: BLE001 - every one is told in the terms of the tree
            told = explained(error, self.store.shown)
            raise told from cause_of(told)
        return rows


async def _driver_connection(connection: Any) -> Any:
    if connection.dialect.driver != "asyncpg":
        raise _unusable(f"an SQLAlchemy connection by {connection.dialect.driver}")
    # SQLAlchemy begins its transaction with the first statement it is given
    await connection.exec_driver_sql("SELECT 1")
    return (await connection.get_raw_connection()).driver_connection


def _is_of(module: str, name: str, value: object) -> bool:
    # whoever has such an object has imported its module
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def _any(value: object) -> Any:
    return value


def _unusable(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"connection= takes an asyncpg.Connection, or an SQLAlchemy AsyncSession or AsyncConnection of an engine "
        f"with postgresql+asyncpg://, not {what}"
    )
