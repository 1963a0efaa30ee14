"""Batches that are too large for one call: all of their jobs are stored, or none."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

from portico.adapters.store.redis.store import RedisStore
from portico.adapters.store.redis.wire import Argument
from portico.exceptions import DatabaseError
from portico.runtime.coalescing import Coalescer

Record = tuple[Argument, ...]

_AT_ONCE = 250
_PARTS_UNDER_WAY = 4
# long enough for a slow producer of a huge batch, and for a repeated call
_KEPT_STAGED_MS = 600_000
_KEPT_DONE_MS = 60_000


class RedisBatches:
    """Puts all records of a batch down first; the call that stores the first of them decides that all will be.

    A producer that dies before it leaves what the server forgets; after it, whoever recovers stores the rest. Each
    call is short, so that other clients wait for milliseconds only, however large the batch.
    """

    def __init__(self, store: RedisStore, idempotency_seconds: float) -> None:
        self._store = store
        self._held_for = round(idempotency_seconds * 1_000_000)
        # a task of its own for each: a caller that is cancelled leaves no batch half stored
        self._calls: Coalescer[Sequence[Record], list[Any]] = Coalescer(
            self._insert_each, name="portico-redis-batch", max_batch=1
        )

    async def insert(self, records: Sequence[Record]) -> list[Any]:
        """Return an answer of ``insert`` for each record; a caller that is cancelled leaves it open whether it was."""
        return await self._calls.submit(records)

    async def recover(self) -> None:
        """Store what is left of batches whose producer died half-way."""
        for batch in await self._store.command("SMEMBERS", self._store.key("batches")):
            done, total = await self._store.run("batch_rest", batch, is_repeatable=True)
            await self._apply(batch, total, done)

    async def drain(self) -> None:
        """Return when the batches under way are stored."""
        await self._calls.drain()

    async def _insert_each(self, batches: Sequence[Sequence[Record]]) -> list[list[Any]]:
        return [await self._insert(records) for records in batches]

    async def _insert(self, records: Sequence[Record]) -> list[Any]:
        batch = secrets.token_bytes(16)
        for start in range(0, len(records), _PARTS_UNDER_WAY * _AT_ONCE):
            await self._stage(batch, records, range(start, len(records), _AT_ONCE)[:_PARTS_UNDER_WAY])
        return await self._apply(batch, len(records), 0)

    async def _stage(self, batch: bytes, records: Sequence[Record], starts: range) -> None:
        """Put some parts down, each on its way while the server still has the one before."""
        parts = (self._stage_part(batch, records, start) for start in starts)
        for answer in await asyncio.gather(*parts, return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer

    async def _stage_part(self, batch: bytes, records: Sequence[Record], start: int) -> None:
        parts = [part for record in records[start : start + _AT_ONCE] for part in record]
        before = start * len(records[0])
        # the server takes a part only where it belongs, so that none is out of order
        await self._store.run("batch_stage", batch, before, _KEPT_STAGED_MS, *parts, is_repeatable=True)

    async def _apply(self, batch: bytes, total: int, first: int) -> list[Any]:
        answers: list[Any] = []
        for start in range(first, total, _AT_ONCE):
            portion = (self._held_for, batch, total, start, _AT_ONCE, _KEPT_DONE_MS)
            answered = await self._store.run("batch_apply", *portion, is_repeatable=True)
            if answered is None:
                raise DatabaseError("a part of the batch is gone, and nothing of it was stored: repeat the call")
            answers += answered
        return answers
