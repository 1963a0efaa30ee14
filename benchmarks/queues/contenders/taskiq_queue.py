"""Taskiq on a Redis stream; its own command starts the worker and finds the broker here."""

import asyncio
from collections.abc import Iterator, Sequence

from taskiq_redis import RedisStreamBroker
from typing_extensions import override

from benchmarks.queues import marks, surroundings
from benchmarks.queues.contenders.client import Client, Payload

_PRODUCERS = 100

broker = RedisStreamBroker(surroundings.url(), xread_count=200)


async def _run(payload: Payload) -> None:
    marks.record(payload["n"])


job = broker.register_task(_run, task_name="noop")


class TaskiqClient(Client):
    """It has no bulk call; many producers at once are its best."""

    @override
    async def open(self) -> None:
        await broker.startup()

    @override
    async def close(self) -> None:
        await broker.shutdown()

    @override
    async def enqueue(self, payload: Payload) -> None:
        await job.kiq(payload)

    @override
    async def enqueue_many(self, payloads: Sequence[Payload]) -> None:
        rest = iter(payloads)
        await asyncio.gather(*(self._produce(rest) for _ in range(_PRODUCERS)))

    async def _produce(self, rest: Iterator[Payload]) -> None:
        for payload in rest:
            await self.enqueue(payload)


client = TaskiqClient
