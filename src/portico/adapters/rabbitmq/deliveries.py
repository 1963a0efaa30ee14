"""What RabbitMQ delivers over one connection."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

from typing_extensions import override

from portico.exceptions import ConfigurationError, ExternalServiceError
from portico.runtime.consuming import Subscription
from portico.runtime.intake.names import shown
from portico.runtime.setting_checks import require_seconds
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671}
_MAX_PREFETCH_COUNT = 65_535
_LIVENESS_SECONDS = 1.0
_CLOSE_SECONDS = 5.0


class RabbitMQMessage(Protocol):
    """What the trigger needs of aio-pika's `AbstractIncomingMessage`."""

    body: bytes
    message_id: str | None

    @property
    def processed(self) -> bool:
        """True once the broker was given an answer."""
        ...

    async def ack(self) -> None:
        """Tell the broker that the message is done with."""
        ...


@dataclass(frozen=True, kw_only=True)
class RabbitMQSource:
    """Where the messages come from."""

    url: str = field(repr=False)
    queue_name: str
    prefetch_count: int
    declare: bool
    connect_timeout_seconds: float

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        _ = self.address
        if not self.queue_name:
            raise ConfigurationError("queue_name must not be empty: it is the broker's queue")
        if not 1 <= self.prefetch_count <= _MAX_PREFETCH_COUNT:
            raise ConfigurationError(
                f"prefetch_count must be from 1 to {_MAX_PREFETCH_COUNT}, not {self.prefetch_count}"
            )
        require_seconds("connect_timeout_seconds", self.connect_timeout_seconds)

    @property
    def address(self) -> str:
        """Host and port, without user and password."""
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname, parts.port
        except ValueError:
            # not chained, and without the value: a part of the password may stand where the port should
            raise ConfigurationError(
                "rabbitmq_url is not a URL; in user and password write '/', '@' and ':' as %2F, %40 and %3A"
            ) from None
        if parts.scheme not in _DEFAULT_PORTS:
            raise ConfigurationError(
                f"rabbitmq_url has the scheme '{shown(parts.scheme)}'; supported are amqp:// and amqps://"
            )
        return f"{host or 'localhost'}:{port or _DEFAULT_PORTS[parts.scheme]}"


class Deliveries(Subscription[RabbitMQMessage]):
    """One connection, one channel, one consumer; the end of each is the end of all."""

    def __init__(self, source: RabbitMQSource) -> None:
        self._source = source
        self._stack = AsyncExitStack()
        self._messages: asyncio.Queue[RabbitMQMessage | None] = asyncio.Queue()
        self._is_alive: Callable[[], bool] = lambda: False

    async def open(self) -> None:
        """Connect and consume; `close` also undoes a half of it."""
        import aio_pika

        connection = await aio_pika.connect(self._source.url)
        self._stack.push_async_callback(connection.close)
        channel = await connection.channel(publisher_confirms=False)
        channel.close_callbacks.add(self._wake)
        await channel.set_qos(prefetch_count=self._source.prefetch_count)
        queue = await channel.declare_queue(self._source.queue_name, durable=True, passive=not self._source.declare)
        tag = await queue.consume(self._messages.put)
        self._is_alive = partial(_is_consuming, channel, await channel.get_underlay_channel(), tag)

    @override
    async def next_message(self) -> RabbitMQMessage:
        while True:
            message = await self._next_or_none()
            # also before a message is handed out: on a lost channel it could not be acknowledged
            if not self._is_alive():
                raise ExternalServiceError(
                    f"RabbitMQ at {self._source.address} no longer delivers from '{self._source.queue_name}'"
                )
            if message is not None:
                return message

    async def _next_or_none(self) -> RabbitMQMessage | None:
        try:
            async with asyncio.timeout(_LIVENESS_SECONDS):
                return await self._messages.get()
        except TimeoutError:
            return None

    @override
    async def close(self) -> None:
        from aio_pika.exceptions import CONNECTION_EXCEPTIONS

        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._stack.aclose()
        except (TimeoutError, *CONNECTION_EXCEPTIONS) as error:
            logger.debug("connection_not_closed_cleanly", error=type(error).__name__)

    def _wake(self, *_: object) -> None:
        self._messages.put_nowait(None)


def _is_consuming(channel: Any, underlay: Any, tag: str) -> bool:
    if channel.is_closed:
        return False
    # the broker cancels a consumer when its queue is deleted, and leaves channel and connection open
    tags = getattr(underlay, "consumers", None)
    return tags is None or tag in tags


def explained(error: Exception, source: RabbitMQSource) -> Exception:
    """Return what the user is told when connecting failed; never the URL."""
    from aio_pika import exceptions

    if isinstance(error, exceptions.ChannelNotFoundEntity):
        return ConfigurationError(f"RabbitMQ has no queue '{source.queue_name}'; declare=True creates it")
    if isinstance(error, exceptions.ChannelPreconditionFailed):
        return ConfigurationError(
            f"the queue '{source.queue_name}' exists with other properties; declare=False takes it as it is"
        )
    if isinstance(error, exceptions.AuthenticationError | exceptions.ProbableAuthenticationError):
        reason = "refused the user or the password in rabbitmq_url"
    elif isinstance(error, TimeoutError):
        reason = f"did not answer within {source.connect_timeout_seconds:g} s; is it running, and reachable?"
    elif isinstance(error, OSError):
        reason = "cannot be reached; is it running, and are host and port right?"
    else:
        reason = f"refused the connection ({type(error).__name__}); are virtual host and permissions right?"
    return ExternalServiceError(f"RabbitMQ at {source.address} {reason}")
