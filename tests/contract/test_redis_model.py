"""The queue on Redis does what the one in memory does."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis
from typing_extensions import override

from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter
from portico.ports.job_queue import JobQueueAdapter
from portico.testing.contracts import QueueModel
from tests.models import run_model


def model_on(url: str, prefix: str) -> type[QueueModel]:
    class RedisModel(QueueModel):
        @override
        def make_queue(self, **options: Any) -> JobQueueAdapter:
            self._options = options
            return RedisJobQueueAdapter(url, prefix=prefix, **options)

        @override
        def reopen_queue(self, queue: JobQueueAdapter) -> JobQueueAdapter:
            return self.make_queue(**self._options)

        @override
        def teardown(self) -> None:
            super().teardown()
            asyncio.run(forget(url, prefix))

    return RedisModel


async def forget(url: str, prefix: str) -> None:
    async with Redis.from_url(url) as server:
        if keys := [key async for key in server.scan_iter(f"{{{prefix}}}*", count=1000)]:
            await server.unlink(*keys)


def test_the_redis_queue_answers_as_the_one_in_memory(redis_url: str, redis_prefix: str) -> None:
    run_model(model_on(redis_url, redis_prefix), examples=40, steps=30)


@pytest.mark.soak
def test_the_redis_queue_answers_as_the_one_in_memory_at_length(redis_url: str, redis_prefix: str) -> None:
    run_model(model_on(redis_url, redis_prefix), examples=300, steps=60)
