"""Concurrent calls that become one: a store answers a batch in hardly more time than a single question."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from portico.exceptions import ConfigurationError, ExternalServiceError

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Call(Generic[Item, Result]):
    item: Item
    answer: asyncio.Future[Result]


class Coalescer(Generic[Item, Result]):
    """Hands on as one batch what is submitted within one tick of the event loop.

    A lone item goes out at the end of its tick and waits for nothing. While `max_in_flight` batches are out, the next
    ones gather. Batches run in tasks of their own, so that a cancelled caller takes nobody along.

    Args:
        run: answers a batch: one result for each item, in order. When it raises for a batch of several, they are run
            one by one and each meets its own error; but an `ExternalServiceError` is everybody's at once.
        name: what its tasks are called.
        max_batch: how many items go out together.
        max_in_flight: how many batches are out at once.

    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        name: str,
        max_batch: int = 500,
        max_in_flight: int = 2,
    ) -> None:
        if max_batch < 1 or max_in_flight < 1:
            raise ConfigurationError(
                f"max_batch and max_in_flight must be at least 1, not {max_batch} and {max_in_flight}"
            )
        self._run = run
        self._name = name
        self._max_batch = max_batch
        self._max_in_flight = max_in_flight
        self._waiting: deque[_Call[Item, Result]] = deque()
        self._batches: set[asyncio.Task[None]] = set()
        self._is_scheduled = False

    async def submit(self, item: Item) -> Result:
        """Return the item's result.

        A caller that is cancelled withdraws the item while it waits; once it is under way it happens all the same.
        """
        call: _Call[Item, Result] = _Call(item, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        self._schedule()
        return await call.answer

    async def drain(self) -> None:
        """Return when everything that was submitted is answered."""
        while self._waiting or self._batches:
            await asyncio.wait(self._batches) if self._batches else await asyncio.sleep(0)

    def _schedule(self) -> None:
        if self._is_scheduled or len(self._batches) >= self._max_in_flight:
            return
        self._is_scheduled = True
        asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        self._is_scheduled = False
        batch = self._next_batch()
        if not batch:
            return
        task = asyncio.get_running_loop().create_task(self._answer(batch), name=self._name)
        self._batches.add(task)
        task.add_done_callback(self._sent)
        if self._waiting:
            self._schedule()

    def _next_batch(self) -> list[_Call[Item, Result]]:
        batch: list[_Call[Item, Result]] = []
        while self._waiting and len(batch) < self._max_batch:
            call = self._waiting.popleft()
            if not call.answer.done():
                batch.append(call)
        return batch

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        if self._waiting:
            self._schedule()

    async def _answer(self, batch: Sequence[_Call[Item, Result]]) -> None:
        try:
            await self._answer_together(batch)
        finally:
            # only when this task was cancelled is anybody left who waits
            for call in batch:
                call.answer.cancel()

    async def _answer_together(self, batch: Sequence[_Call[Item, Result]]) -> None:
        try:
            results = await self._run([call.item for call in batch])
        except Exception as error:  # noqa: BLE001 - an error is its callers'
            if len(batch) == 1 or isinstance(error, ExternalServiceError):
                _fail(batch, error)
                return
        else:
            for call, result in zip(batch, results, strict=True):
                if not call.answer.done():
                    call.answer.set_result(result)
            return
        for call in batch:
            await self._answer_together([call])


def _fail(batch: Sequence[_Call[Item, Result]], error: Exception) -> None:
    for call in batch:
        if not call.answer.done():
            call.answer.set_exception(error)
