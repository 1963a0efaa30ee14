"""No queue at all: what the driver and the server take for one row, so the least that a queue on them can cost."""

import asyncio
import json
import uuid
from collections.abc import Sequence

import asyncpg
from typing_extensions import override

from benchmarks.queues import marks, surroundings
from benchmarks.queues.contenders.client import Client, Payload, batches

_BATCH = 200
_IDLE_SECONDS = 0.001
_TABLE = "CREATE TABLE alone (id uuid PRIMARY KEY, seq bigint GENERATED ALWAYS AS IDENTITY, payload text NOT NULL)"
_INDEX = "CREATE INDEX ON alone (seq)"
_INSERT = "INSERT INTO alone (id, payload) VALUES ($1, $2)"
_INSERT_MANY = "INSERT INTO alone (id, payload) SELECT * FROM unnest($1::uuid[], $2::text[])"
_TAKE = """
    DELETE FROM alone WHERE ctid = ANY (ARRAY(SELECT ctid FROM alone ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED))
    RETURNING payload"""


class AsyncpgClient(Client):
    """One connection; the table has a key and an index of its order, and nothing else."""

    @override
    async def prepare(self) -> None:
        connection = await _connect()
        await connection.execute(_TABLE)
        await connection.execute(_INDEX)
        await connection.close()  # type: ignore[no-untyped-call] # - annotated in part

    @override
    async def open(self) -> None:
        self._connection = await _connect()

    @override
    async def close(self) -> None:
        await self._connection.close()  # type: ignore[no-untyped-call] # - annotated in part

    @override
    async def enqueue(self, payload: Payload) -> None:
        await self._connection.execute(_INSERT, uuid.uuid4(), json.dumps(payload))

    @override
    async def enqueue_many(self, payloads: Sequence[Payload]) -> None:
        for batch in batches(payloads):
            ids = [uuid.uuid4() for _ in batch]
            await self._connection.execute(_INSERT_MANY, ids, [json.dumps(payload) for payload in batch])


client = AsyncpgClient


async def _connect() -> asyncpg.Connection:
    connection: asyncpg.Connection = await asyncpg.connect(surroundings.url())  # type: ignore[no-untyped-call] # - annotated in part
    return connection


async def _work() -> None:
    connection = await _connect()
    while True:
        taken = await connection.fetch(_TAKE, _BATCH)
        for [payload] in taken:
            marks.record(json.loads(payload)["n"])
        if not taken:
            await asyncio.sleep(_IDLE_SECONDS)


def work() -> None:
    """Take rows until killed."""
    surroundings.run(_work())
