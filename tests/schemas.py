"""A schema of its own for each test on PostgreSQL, and none left afterwards; queues and connections to look into it."""

import itertools
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest_asyncio

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter

# a server whose autovacuum is off or behind gets slower with every schema that came and went
CATALOGS = "pg_attribute, pg_attrdef, pg_class, pg_depend, pg_index, pg_proc, pg_sequence, pg_statistic, pg_type"
VACUUM_EVERY = 25
_dropped = itertools.count(1)


@pytest_asyncio.fixture
async def postgres_schema(postgres_url: str) -> AsyncIterator[str]:
    """Yield the name of a schema that does not exist; it is dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield name
    await drop_schema(postgres_url, name)


async def drop_schema(url: str, name: str) -> None:
    """Drop a schema, if it is there."""
    async with connected(url) as connection:
        await connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")
        if next(_dropped) % VACUUM_EVERY == 0:
            await connection.execute(f"VACUUM {CATALOGS}")


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    """Give a connection of asyncpg."""
    connection = await asyncpg.connect(url)  # type: ignore[no-untyped-call] # - annotated in part
    try:
        yield connection
    finally:
        await connection.close()


@pytest_asyncio.fixture
async def connection(postgres_url: str) -> AsyncIterator[Any]:
    """Yield a connection that has nothing to do with a queue's."""
    async with connected(postgres_url) as connection:
        yield connection


@asynccontextmanager
async def opened(url: str, schema: str, **options: Any) -> AsyncIterator[DatabaseJobQueueAdapter]:
    """Give a queue that is initialised, and close it."""
    queue = DatabaseJobQueueAdapter(url, schema=schema, **options)
    await queue.initialize()
    try:
        yield queue
    finally:
        await queue.close()
