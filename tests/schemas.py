"""A schema of its own for each test on PostgreSQL, and none left afterwards."""

import itertools
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio

# a server whose autovacuum is off or behind gets slower with every schema that came and went
CATALOGS = "pg_attribute, pg_attrdef, pg_class, pg_depend, pg_index, pg_proc, pg_sequence, pg_statistic, pg_type"
VACUUM_EVERY = 25
_dropped = itertools.count(1)


@pytest_asyncio.fixture
async def postgres_schema(postgres_url: str) -> AsyncIterator[str]:
    """Yield the name of a schema that does not exist; it is dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield name
    connection = await asyncpg.connect(postgres_url)  # type: ignore[no-untyped-call] # - annotated in part
    try:
        await connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")
        if next(_dropped) % VACUUM_EVERY == 0:
            await connection.execute(f"VACUUM {CATALOGS}")
    finally:
        await connection.close()
