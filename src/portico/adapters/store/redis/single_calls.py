"""Single calls of one kind: a lone one waits for nothing, concurrent ones become one."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from portico.runtime.coalescing import Coalescer

Item = TypeVar("Item")
Result = TypeVar("Result")


class SingleCalls(Generic[Item, Result]):
    """Sends the first at once, in its caller's own task; those that come before its answer go out together.

    Args:
        run: answers a batch, one result for each item in order.
        name: what the tasks of batches are called.
        max_batch: how many items go out together.

    """

    def __init__(
        self, run: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], *, name: str, max_batch: int
    ) -> None:
        self._run = run
        self._others: Coalescer[Item, Result] = Coalescer(run, name=name, max_batch=max_batch)
        self._is_under_way = False

    async def submit(self, item: Item) -> Result:
        """Return the item's result; a caller that is cancelled leaves it open whether it happened."""
        if self._is_under_way:
            return await self._others.submit(item)
        self._is_under_way = True
        try:
            [result] = await self._run([item])
        finally:
            self._is_under_way = False
        return result

    async def drain(self) -> None:
        """Return when the batches under way are answered."""
        await self._others.drain()
