"""Dramatiq on Redis; its own command starts the worker and finds the broker here."""

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from typing_extensions import override

from benchmarks.queues import marks, surroundings
from benchmarks.queues.contenders.client import Client, Payload

broker = RedisBroker(url=surroundings.url())
dramatiq.set_broker(broker)


def _run(payload: Payload) -> None:
    marks.record(payload["n"])


job = dramatiq.actor(_run, actor_name="noop", queue_name="bench")


class DramatiqClient(Client):
    """Its client is synchronous and has no bulk call."""

    @override
    async def close(self) -> None:
        broker.close()

    @override
    async def enqueue(self, payload: Payload) -> None:
        job.send(payload)


client = DramatiqClient
