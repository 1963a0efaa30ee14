"""One prefix of keys on a Redis server: its connection, shared by everything that is kept under it."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, get_args

from portico.adapters.store.redis.address import RedisAddress
from portico.adapters.store.redis.failures import code_of, explained, lost
from portico.adapters.store.redis.library import function, library
from portico.adapters.store.redis.server_clock import ServerClock
from portico.adapters.store.redis.settings import ServerSettings
from portico.adapters.store.redis.wire import Argument, Wire
from portico.adapters.stored_moments import microseconds
from portico.exceptions import ConfigurationError, DatabaseError, PorticoError
from portico.ports.clock import Clock
from portico.runtime.loop_lock import LoopLock

Durability = Literal["process", "power"]

SCHEMA_VERSION = 2
_ATTEMPTS = 5


class RedisStore:
    """Open while anybody uses it: the queue, the trigger store and the inbox of one prefix share one of these.

    Args:
        url: ``redis://[user:password@]host[:port][/db]``, ``rediss://...`` or ``unix:///path?db=0``.
        prefix: what all keys start with; it is their hash tag too, so that in a cluster they share one slot.
        durability: what the server is expected to keep: ``"process"`` (the default) a log of every write,
            ``"power"`` one that is on the disk before it answers.
        require_durable: refuse a server that does not, instead of warning.
        clock: the store's clock, for tests; by default the server's own.

    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "portico",
        durability: Durability | None = None,
        require_durable: bool = False,
        clock: Clock | None = None,
    ) -> None:
        if durability is not None and durability not in get_args(Durability):
            message = f"durability must be 'process' or 'power', not {durability!r}"
            raise ConfigurationError(message)
        if not prefix or "{" in prefix or "}" in prefix:
            message = f"prefix must be some text without braces, not {prefix!r}"
            raise ConfigurationError(message)
        self.address = RedisAddress(url)
        # known to be installed by now
        from hiredis import ReplyError

        self._failure: type[Exception] = ReplyError
        self.base = f"{{{prefix}}}"
        self.is_durable = False
        self._durability: Durability = durability or "process"
        self._require_durable = require_durable
        self._given_clock = clock
        self._server_clock = ServerClock()
        self._users: set[object] = set()
        self._is_open = False
        self._opening = LoopLock()
        self._wire: Wire | None = None
        self._connecting: asyncio.Task[Wire] | None = None

    @property
    def clock(self) -> Clock:
        """The store's time."""
        return self._given_clock or self._server_clock

    async def open(self, user: object) -> None:
        """Connect and check the server, or join those who did; a second call of a user does nothing."""
        if user in self._users:
            return
        async with self._opening:
            if not self._users:
                self._is_open = True
                try:
                    await self._check()
                except BaseException:
                    await self._hang_up()
                    raise
            self._users.add(user)

    async def close(self, user: object) -> None:
        """Leave; the last one hangs up."""
        async with self._opening:
            self._users.discard(user)
            if not self._users:
                await self._hang_up()

    def key(self, name: str) -> str:
        """Return a key of this prefix."""
        return f"{self.base}:{name}"

    async def run(self, operation: str, *arguments: Argument, is_repeatable: bool = False) -> Any:
        """Run a function of the library and return its reply.

        It is told the time where the store has a clock of its own. One that is repeatable is sent once more where
        the connection broke before its reply, and told so.
        """
        now = "" if self._given_clock is None else microseconds(self._given_clock.now())
        command = ("FCALL", function(operation), 1, self.base, now)
        try:
            return await self._ask((*command, "0", *arguments))
        except ConnectionResetError as error:
            if not is_repeatable:
                raise lost(error, self.address.place) from error
        try:
            return await self._ask((*command, "1", *arguments))
        except ConnectionResetError as error:
            raise lost(error, self.address.place) from error

    async def command(self, *command: Argument) -> Any:
        """Run a command that may be repeated, and return its reply."""
        try:
            return await self._ask(command)
        except ConnectionResetError:
            pass
        try:
            return await self._ask(command)
        except ConnectionResetError as error:
            raise lost(error, self.address.place) from error

    async def time(self) -> int:
        """Return the store's time in microseconds."""
        if self._given_clock is not None:
            return microseconds(self._given_clock.now())
        seconds, microsecond = await self.command("TIME")
        return int(seconds) * 1_000_000 + int(microsecond)

    def corrected(self, shown: datetime) -> datetime:
        """Return the store's time at a moment that the clock of this host will show."""
        return self._server_clock.corrected(shown) if self._given_clock is None else shown

    async def new_wire(self, on_message: Callable[[bytes], None]) -> Wire:
        """Return a connection of the caller's own."""
        return await self.address.connect(on_message)

    def observe(self, server_time: int) -> None:
        """Note the time that a reply told."""
        self._server_clock.observe(server_time)

    async def _ask(self, command: tuple[Argument, ...]) -> Any:
        for _ in range(_ATTEMPTS):
            wire = self._wire
            if wire is None or wire.is_lost:
                wire = await self._connect()
            try:
                return await wire.call(*command)
            except self._failure as error:
                # nothing was done: the library is not there, or the slot is another node's
                if not await self._has_remedied(error, wire):
                    raise explained(error, self.address.place) from error
        message = f"Redis at {self.address.place} sends this client from one node of the cluster to another and back"
        raise DatabaseError(message)

    async def _has_remedied(self, error: Exception, wire: Wire) -> bool:
        if str(error) == "ERR Function not found":
            await self._load_library(wire)
        elif code_of(error) == "MOVED":
            host, _, port = str(error).split()[-1].rpartition(":")
            # a node that does not know its own name leaves it out
            self.address.move_to((self.address.node[0] if host in ("", "?") else host, int(port)))
            self._wire = None if self._wire is wire else self._wire
            wire.retire()
        else:
            return False
        return True

    async def _connect(self) -> Wire:
        if not self._is_open:
            raise self._closed()
        # one attempt for all who wait, and a caller that is cancelled takes nobody along
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._new_wire(), name="portico-redis-connect")
            self._connecting.add_done_callback(self._connected)
        connecting = self._connecting
        await asyncio.wait([connecting])
        if connecting.cancelled():
            raise self._closed()
        return connecting.result()

    async def _new_wire(self) -> Wire:
        wire = await self.address.connect()
        try:
            # a short one first: a server that misses the password hangs up on long requests without a word
            seconds, microsecond = await wire.call("TIME")
            self.observe(int(seconds) * 1_000_000 + int(microsecond))
        except BaseException as error:
            await wire.close()
            if isinstance(error, PorticoError) or not isinstance(error, Exception):
                raise
            raise explained(error, self.address.place) from error
        return wire

    def _closed(self) -> DatabaseError:
        return DatabaseError(f"the store on Redis at {self.address.place} is closed")

    def _connected(self, connecting: asyncio.Task[Wire]) -> None:
        if self._connecting is not connecting:
            return
        self._connecting = None
        if not connecting.cancelled() and connecting.exception() is None:
            self._wire = connecting.result()

    async def _load_library(self, wire: Wire) -> None:
        try:
            await wire.call("FUNCTION", "LOAD", library())
        except self._failure as error:
            # who shares the server may have been quicker
            if "already exists" not in str(error):
                raise explained(error, self.address.place) from error

    async def _check(self) -> None:
        version = int(await self.run("schema_claim", SCHEMA_VERSION, is_repeatable=True))
        if version > SCHEMA_VERSION:
            message = (
                f"Redis at {self.address.place}: the data under '{self.base}' have schema {version}, this version of "
                f"Portico knows {SCHEMA_VERSION}: update Portico, or use another prefix"
            )
            raise ConfigurationError(message)
        settings = await ServerSettings.read(self.command, self.address.place)
        self.is_durable = settings.keeps(self._durability)
        settings.check(self._durability, require_durable=self._require_durable)

    async def _hang_up(self) -> None:
        self._is_open = False
        if (connecting := self._connecting) is not None:
            connecting.cancel()
            await asyncio.wait([connecting])
            self._connected(connecting)
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()
