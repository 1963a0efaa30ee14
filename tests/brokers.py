"""A RabbitMQ of the tests' own: queues that are gone afterwards, and a connection that can be cut."""

import asyncio
import json
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection


class Broker:
    """Publishes and looks, and deletes its queues in the end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._queues: list[str] = []

    async def __aenter__(self) -> Self:
        self._connection: AbstractConnection = await aio_pika.connect(self._url)
        self._channel: AbstractChannel = await self._connection.channel()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for name in self._queues:
            await self.delete(name)
        await self._connection.close()

    def new_queue(self) -> str:
        self._queues.append(f"portico-test-{uuid4()}")
        return self._queues[-1]

    async def declare(self, name: str, **options: Any) -> None:
        await self._channel.declare_queue(name, **options)

    async def publish(self, queue: str, content: dict[str, Any] | bytes, *, message_id: str | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        await self._channel.default_exchange.publish(
            aio_pika.Message(body=body, message_id=message_id), routing_key=queue
        )

    async def waiting(self, queue: str) -> int:
        """Count the messages that no consumer has."""
        declared = await self._channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0

    async def consumers(self, queue: str) -> int:
        declared = await self._channel.declare_queue(queue, passive=True)
        return declared.declaration_result.consumer_count or 0

    async def delete(self, queue: str) -> None:
        await self._channel.queue_delete(queue)


class CuttableWire:
    """A TCP proxy before a server; cutting it is what a restart of the server looks like from outside."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 5672)
        self._url = parts
        self._writers: set[asyncio.StreamWriter] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._port = 0

    @property
    def url(self) -> str:
        user, _, _ = self._url.netloc.rpartition("@")
        return self._url._replace(netloc=f"{user}@127.0.0.1:{self._port}").geturl()

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.cut()

    async def restore(self) -> None:
        """Listen, again on the port of the first time."""
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Refuse new connections, and break those there are."""
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        await self._idle.wait()
        await self._server.wait_closed()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, far_writer}
        self._idle.clear()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, far_writer))
                group.create_task(_pump(far_reader, writer))
        finally:
            for each in (writer, far_writer):
                each.transport.abort()
                with suppress(OSError):
                    await each.wait_closed()
                self._writers.discard(each)
            if not self._writers:
                self._idle.set()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
