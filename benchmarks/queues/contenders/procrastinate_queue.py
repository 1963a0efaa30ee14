"""Procrastinate on PostgreSQL."""

import logging
from collections.abc import Sequence

from procrastinate import App, PsycopgConnector
from typing_extensions import override

from benchmarks.queues import marks, surroundings
from benchmarks.queues.contenders.client import Client, Payload, batches

_CONCURRENCY = 20

logging.getLogger("procrastinate").setLevel(logging.WARNING)
app = App(connector=PsycopgConnector(conninfo=surroundings.url(), min_size=4, max_size=_CONCURRENCY))


async def _run(payload: Payload) -> None:
    marks.record(payload["n"])


job = app.task(_run, name="noop", queue="bench")


class ProcrastinateClient(Client):
    """A pool of psycopg connections."""

    @override
    async def prepare(self) -> None:
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    @override
    async def open(self) -> None:
        await app.open_async()

    @override
    async def close(self) -> None:
        await app.close_async()

    @override
    async def enqueue(self, payload: Payload) -> None:
        await job.defer_async(payload=payload)

    @override
    async def enqueue_many(self, payloads: Sequence[Payload]) -> None:
        for batch in batches(payloads):
            await job.batch_defer_async(*({"payload": payload} for payload in batch))


client = ProcrastinateClient


async def _work() -> None:
    async with app.open_async():
        await app.run_worker_async(queues=["bench"], concurrency=_CONCURRENCY, listen_notify=True)


def work() -> None:
    """Run jobs until SIGTERM."""
    surroundings.run(_work())
