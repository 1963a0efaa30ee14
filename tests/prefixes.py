"""A prefix of its own for each test on Redis, and no key left under it afterwards."""

import uuid
from collections.abc import AsyncIterator

import pytest_asyncio
from redis.asyncio import Redis


@pytest_asyncio.fixture
async def redis_prefix(redis_url: str) -> AsyncIterator[str]:
    """Yield a prefix under which there is nothing; its keys are deleted afterwards."""
    prefix = f"test-{uuid.uuid4().hex[:12]}"
    yield prefix
    await delete_keys(redis_url, prefix)


async def delete_keys(url: str, prefix: str) -> None:
    """Delete all keys under a prefix."""
    async with Redis.from_url(url) as server:
        if keys := [key async for key in server.scan_iter(f"{{{prefix}}}*", count=1000)]:
            await server.unlink(*keys)
