"""A few connections, each lent for one statement at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

Row = Any
"""A record of the driver: values by place and by name."""

# what stands between may forget a silent connection without telling anybody
_LONGEST_IDLE_SECONDS = 300.0


class NotSentError(Exception):
    """There was no connection to send a statement on; the cause says why."""


class Connections:
    """At most `size` connections, made when they are needed.

    The driver's own pool resets a connection and starts a task with every return; that is a quarter of the time of a
    small statement, and statements here leave nothing behind that a reset would have to undo.
    """

    def __init__(self, connect: Callable[[], Awaitable[Any]], size: int) -> None:
        self._connect = connect
        self._size = size
        self._idle: list[tuple[Any, float]] = []
        self._free = asyncio.Semaphore(size)
        self._is_closed = False

    async def fetch(self, text: str, values: Sequence[Any]) -> Sequence[Row]:
        """Run one statement in a transaction of its own.

        Raises:
            NotSentError: no connection could be made.

        """
        async with self._free:
            connection = self._take() or await self._new()
            try:
                rows: Sequence[Row] = await connection.fetch(text, *values)
            except BaseException as error:
                if getattr(error, "sqlstate", None) is None:
                    # cancelled, or cut off: what the server says next would answer another question
                    connection.terminate()
                raise
            finally:
                if self._is_closed:
                    connection.terminate()
                elif not connection.is_closed():
                    self._idle.append((connection, asyncio.get_running_loop().time()))
        return rows

    async def close(self, seconds: float) -> None:
        """Wait up to `seconds` for the statements under way, and close."""
        try:
            async with asyncio.timeout(seconds):
                for _ in range(self._size):
                    await self._free.acquire()
                while self._idle:
                    await self._idle[-1][0].close()
                    self._idle.pop()
        except (TimeoutError, OSError):
            for connection, _ in self._idle:
                connection.terminate()
        finally:
            self._is_closed = True

    async def _new(self) -> Any:
        try:
            return await self._connect()
        except Exception as error:
            raise NotSentError from error

    def _take(self) -> Any:
        oldest = asyncio.get_running_loop().time() - _LONGEST_IDLE_SECONDS
        while self._idle:
            connection, since = self._idle.pop()
            if since >= oldest and not connection.is_closed():
                return connection
            connection.terminate()
        return None
