"""One connection: requests go out as they come, replies come back in order."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from typing_extensions import override

Argument = str | bytes | int

_NO_REPLY = object()
_CLOSE_SECONDS = 1.0


class Wire(asyncio.Protocol):
    """Takes over a connection that is ready to use, and gives a future for each request.

    A reply that is an error fails its future with `hiredis.ReplyError`; a connection that is lost, or has given no
    reply for `timeout_seconds`, fails all of them with `ConnectionResetError`.

    Args:
        writer: the connection's; kept, because it closes the connection when it is forgotten.
        timeout_seconds: how long a reply may take.
        on_message: gets what is published on the channels that this connection subscribes.

    """

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        *,
        timeout_seconds: float,
        on_message: Callable[[bytes], None] | None = None,
    ) -> None:
        import hiredis

        self._pack: Callable[..., bytes] = hiredis.pack_command
        self._failure: type[Exception] = hiredis.HiredisError
        self._replies = hiredis.Reader(notEnoughData=_NO_REPLY)
        self._on_message = on_message
        self._timeout = timeout_seconds
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._silent_since = self._loop.time()
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._is_retired = False
        self._writer = writer
        self._transport = writer.transport
        self._transport.set_protocol(self)
        self._watch = self._loop.call_later(timeout_seconds / 4, self._look_at_the_time)

    @property
    def is_lost(self) -> bool:
        """True when it is of no use any more."""
        return self._lost.done() or self._transport.is_closing()

    def call(self, *command: Argument) -> asyncio.Future[Any]:
        """Send a command; the future may be cancelled, the command goes on."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        if self.is_lost:
            answer.set_exception(ConnectionResetError("the connection is lost"))
            return answer
        if not self._waiting:
            self._silent_since = self._loop.time()
        self._waiting.append(answer)
        self._transport.write(self._pack(command))
        return answer

    async def until_lost(self, timeout: float) -> bool:
        """Return True when the connection is lost, False after `timeout` seconds."""
        done, _ = await asyncio.wait([self._lost], timeout=timeout)
        return bool(done)

    def retire(self) -> None:
        """Hang up as soon as every reply that is awaited is there."""
        self._is_retired = True
        if not self._waiting:
            self._transport.close()

    async def close(self) -> None:
        """Hang up after the replies that are awaited, or after a second."""
        self.retire()
        try:
            await self.until_lost(_CLOSE_SECONDS)
        finally:
            self._transport.abort()

    @override
    def data_received(self, data: bytes) -> None:
        try:
            self._replies.feed(data)
            while (reply := self._replies.gets()) is not _NO_REPLY:
                self._deliver(reply)
        except self._failure:
            # no way to tell where the next reply begins
            self._transport.abort()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        if not self._lost.done():
            self._lost.set_result(None)
        while self._waiting:
            answer = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(ConnectionResetError(str(exc or "the server hung up")))

    def _deliver(self, reply: Any) -> None:
        if self._on_message is not None and isinstance(reply, list) and reply[:1] == [b"message"]:
            self._on_message(reply[2])
            return
        if not self._waiting:
            return
        self._silent_since = self._loop.time()
        answer = self._waiting.popleft()
        if answer.done():
            pass
        elif isinstance(reply, self._failure):
            answer.set_exception(reply)
        else:
            answer.set_result(reply)
        if self._is_retired and not self._waiting:
            self._transport.close()

    def _look_at_the_time(self) -> None:
        if self._waiting and self._loop.time() - self._silent_since > self._timeout:
            self._transport.abort()
            return
        self._watch = self._loop.call_later(self._timeout / 4, self._look_at_the_time)
