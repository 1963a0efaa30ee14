"""The versions of the tables."""

from collections.abc import Sequence
from typing import Any

from portico.adapters.store.postgres.failures import Fate, fate_of
from portico.adapters.store.postgres.statements import migrations
from portico.exceptions import ConfigurationError

# any number will do, as long as no other application waits on it
_LOCK = 0x506F7274
_TRIES = 5


async def migrate(connection: Any, schema: str, shown: str) -> None:
    """Bring the schema to the newest version, whole or not at all; of many who try at once one does it.

    Raises:
        ConfigurationError: the schema is newer than this code.

    """
    scripts = migrations(schema)
    if await _version(connection, schema, shown, len(scripts)) == len(scripts):
        return
    for tries_left in reversed(range(_TRIES)):
        try:
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
                version = await _version(connection, schema, shown, len(scripts))
                await _run(connection, schema, scripts[version:], version)
        except Exception as error:
            # workers lock the tables in one order or the other, and one of two who wait for each other gives way
            if not tries_left or fate_of(error) is not Fate.ROLLED_BACK:
                raise
        else:
            return


async def _run(connection: Any, schema: str, scripts: Sequence[str], version: int) -> None:
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", schema):
        await connection.execute(f"CREATE SCHEMA {schema}")
    if version == 0:
        await connection.execute(f"CREATE TABLE {schema}.schema_version (version int NOT NULL)")
        await connection.execute(f"INSERT INTO {schema}.schema_version VALUES (0)")  # noqa: S608 - a checked name
    for script in scripts:
        await connection.execute(script)
    await connection.execute(f"UPDATE {schema}.schema_version SET version = version + $1", len(scripts))  # noqa: S608 - a checked name


async def _version(connection: Any, schema: str, shown: str, known: int) -> int:
    # the catalogue itself: `to_regclass` may answer from a cache that has not heard of another's commit
    if not await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = 'schema_version')", schema
    ):
        return 0
    version: int = await connection.fetchval(f"SELECT version FROM {schema}.schema_version")  # noqa: S608 - a checked name
    if version > known:
        message = (
            f"{shown}: the schema '{schema}' was written by a newer Portico: its version is {version}, "
            f"this one knows {known}; upgrade portico-jobs"
        )
        raise ConfigurationError(message, details={"schema": schema, "version": version, "known": known})
    return version
