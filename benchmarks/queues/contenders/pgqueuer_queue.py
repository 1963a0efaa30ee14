"""PGQueuer on PostgreSQL."""

import json
from collections.abc import Sequence

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from typing_extensions import override

from benchmarks.queues import marks, surroundings
from benchmarks.queues.contenders.client import Client, Payload, batches

_ENTRYPOINT = "noop"
_BATCH = 200


def _encoded(payload: Payload) -> bytes:
    return json.dumps(payload).encode()


async def _connect() -> asyncpg.Connection:
    url = surroundings.url()
    connection: asyncpg.Connection = await asyncpg.connect(url)  # type: ignore[no-untyped-call] # - annotated in part
    return connection


class PgqueuerClient(Client):
    """One asyncpg connection."""

    @override
    async def open(self) -> None:
        self._connection = await _connect()
        self._queries = Queries(AsyncpgDriver(self._connection))

    @override
    async def prepare(self) -> None:
        await self.open()
        await self._queries.install()
        await self.close()

    @override
    async def close(self) -> None:
        await self._connection.close()  # type: ignore[no-untyped-call] # - annotated in part

    @override
    async def enqueue(self, payload: Payload) -> None:
        await self._queries.enqueue(_ENTRYPOINT, _encoded(payload))

    @override
    async def enqueue_many(self, payloads: Sequence[Payload]) -> None:
        for batch in batches(payloads):
            names, priorities = [_ENTRYPOINT] * len(batch), [0] * len(batch)
            await self._queries.enqueue(names, [_encoded(payload) for payload in batch], priorities)


client = PgqueuerClient


async def _run(job: Job) -> None:
    if job.payload is not None:
        marks.record(json.loads(job.payload)["n"])


async def _work() -> None:
    application = PgQueuer(AsyncpgDriver(await _connect()))
    application.entrypoint(_ENTRYPOINT)(_run)
    await application.run(batch_size=_BATCH)


def work() -> None:
    """Run jobs until killed."""
    surroundings.run(_work())
