"""A schema of its own for each test on PostgreSQL, and none left afterwards."""

import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio


@pytest_asyncio.fixture
async def postgres_schema(postgres_url: str) -> AsyncIterator[str]:
    """Yield the name of a schema that does not exist; it is dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield name
    connection = await asyncpg.connect(postgres_url)  # type: ignore[no-untyped-call] # - annotated in part
    try:
        await connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")
    finally:
        await connection.close()
