"""Where a server is, and how to get a connection to it."""

import asyncio
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from portico.adapters.store.redis.wire import Wire
from portico.exceptions import ConfigurationError, DatabaseError, MissingExtraError, PorticoError

_FORMS = "redis://[user:password@]host[:port][/db], rediss://... (TLS) or unix:///path?db=0"
_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 10.0


class RedisAddress:
    """A URL as redis-py reads it; what it shows has no password.

    Raises:
        MissingExtraError: redis-py or hiredis is not installed.
        ConfigurationError: redis-py does not take the URL.

    """

    def __init__(self, url: str) -> None:
        if find_spec("redis") is None or find_spec("hiredis") is None:
            raise MissingExtraError("RedisJobQueueAdapter", "redis")
        self._options = _options(url)
        self._node: tuple[str, int] | None = None
        self._new_connection()

    @property
    def node(self) -> tuple[str, int]:
        """The host and port in use; in a cluster not always those of the URL."""
        return self._node or (self._options.get("host", "localhost"), self._options.get("port", 6379))

    @property
    def place(self) -> str:
        """Host, port and database, as errors name them."""
        path = self._options.get("path")
        where = path or "{}:{}".format(*self.node)
        return f"{where}, database {self._options.get('db', 0)}"

    def move_to(self, node: tuple[str, int]) -> None:
        """Go on at another node of the cluster."""
        self._node = node

    async def connect(self, on_message: Callable[[bytes], None] | None = None) -> Wire:
        """Return a new connection, logged in, on its database; within seconds or not at all.

        Raises:
            ConfigurationError: the server refuses the user, the password or the database.
            DatabaseError: it does not answer.

        """
        from redis.exceptions import RedisError

        connection = self._new_connection()
        writer, is_ready = None, False
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await connection.connect()
            is_ready = True
        except (RedisError, OSError) as error:
            refusal = self._refused(error)
            # a node of a cluster may be gone for good: the URL's knows who has its slots
            self._node = None
            raise refusal from error
        finally:
            # redis-py does the handshake, the wire does the rest
            writer, connection._writer, connection._reader = connection._writer, None, None  # noqa: SLF001 - no other way
            if writer is not None and not is_ready:
                writer.transport.abort()
        return Wire(writer, timeout_seconds=_ANSWER_SECONDS, on_message=on_message)

    def _new_connection(self) -> Any:
        from redis.asyncio.connection import Connection
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        # no time-outs of redis-py's own: its `wait_for` can swallow a cancellation on Python 3.11
        times: dict[str, Any] = {"socket_timeout": None, "socket_connect_timeout": None, "retry": Retry(NoBackoff(), 0)}
        options = {**self._options, **times, "protocol": 2, "decode_responses": False}
        kind = options.pop("connection_class", Connection)
        if self._node is not None:
            options["host"], options["port"] = self._node
        try:
            return kind(**options)
        except Exception as error:
            # what redis-py says may hold the value
            message = f"the options behind the '?' of the Redis URL are not taken; supported: {_FORMS}"
            raise ConfigurationError(message) from error

    def _refused(self, error: Exception) -> PorticoError:
        from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

        if isinstance(error, AuthenticationError | NoPermissionError):
            message = f"Redis at {self.place} refuses the user or the password of the URL: {error}"
            return ConfigurationError(message, details={"server": self.place}, cause=error)
        if isinstance(error, ResponseError):
            message = f"Redis at {self.place} refuses what the URL asks for: {error}"
            return ConfigurationError(message, details={"server": self.place}, cause=error)
        message = f"Redis at {self.place} does not answer ({str(error) or 'no answer in time'}): is it running there?"
        return DatabaseError(message, details={"server": self.place}, cause=error)


def _options(url: str) -> dict[str, Any]:
    from redis.asyncio.connection import parse_url

    try:
        parts = urlsplit(url)
        options: dict[str, Any] = dict(parse_url(url))
    except ValueError as error:
        message = f"this is no Redis URL; supported: {_FORMS}"
        raise ConfigurationError(message) from error
    database = parts.path.strip("/")
    if parts.scheme != "unix" and database and not database.isdecimal():
        message = f"the database in a Redis URL is a number, not {database!r}: {_FORMS}"
        raise ConfigurationError(message)
    return options
