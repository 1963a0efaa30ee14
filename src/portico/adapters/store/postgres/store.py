"""One schema of a PostgreSQL database: its pool, shared by everything that is kept in it."""

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, Literal, get_args

from typing_extensions import override

from portico.adapters.store.postgres.address import Address, checked_schema
from portico.adapters.store.postgres.connections import Connections, NotSentError, Row
from portico.adapters.store.postgres.failures import (
    Fate,
    cause_of,
    explained,
    explained_opening,
    fate_of,
    unreachable,
)
from portico.adapters.store.postgres.schema import migrate
from portico.adapters.store.postgres.server_clock import ServerClock
from portico.adapters.store.postgres.statements import statement
from portico.exceptions import ConfigurationError, DatabaseError, MissingExtraError
from portico.ports.clock import Clock
from portico.runtime.backoff import Backoff
from portico.runtime.loop_lock import LoopLock

Durability = Literal["process", "power"]
_TRIES = 3
_BETWEEN_TRIES = Backoff(base_seconds=0.05, cap_seconds=0.5, jitter=0.5)
_CACHED_STATEMENTS = 200


class PostgresStore:
    """Reference-counted: the queue, the trigger store and the inbox of one schema open and close one of these.

    Args:
        url: ``postgresql://user:password@host:5432/database``; it may lead to a pooler such as PgBouncer.
        schema: where the tables are; made when it is missing.
        durability: ``"power"`` waits for the disk with what producers and failures write, not with claims and
            acknowledgements, whose loss only repeats a job; ``"process"`` never waits.
        listen_url: the server's own URL when `url` leads to a pooler; without it what others enqueue is polled for.
        pool_size: how many connections at most.
        connect_timeout_seconds: how long a connection may take to be made.
        command_timeout_seconds: how long a statement may take.
        clock: the time that decides, for tests; by default the server's.

    """

    def __init__(  # noqa: PLR0913 - what an operator may set
        self,
        url: str,
        *,
        schema: str = "portico",
        durability: Durability = "power",
        listen_url: str | None = None,
        pool_size: int = 5,
        connect_timeout_seconds: float = 10,
        command_timeout_seconds: float = 60,
        clock: Clock | None = None,
    ) -> None:
        if durability not in get_args(Durability):
            message = f"durability must be 'process' or 'power', not {durability!r}"
            raise ConfigurationError(message)
        if pool_size < 1:
            message = f"pool_size must be at least 1, not {pool_size}"
            raise ConfigurationError(message)
        self._address = Address.parse(url)
        self._listen_address = None if listen_url is None else Address.parse(listen_url)
        self.schema = checked_schema(schema)
        self.durability: Durability = durability
        self._fixed_clock = clock
        self.clock: Clock = clock or ServerClock()
        self._pool_size = pool_size
        self._connect_timeout_seconds = connect_timeout_seconds
        self._command_timeout_seconds = command_timeout_seconds
        self._driver = _driver()
        self._users = 0
        self._opening = LoopLock()
        self._resources = AsyncExitStack()
        self._connections: Connections | None = None
        self._is_pooled = False
        self.session = 0
        """What claims of this open store are marked with."""

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.shown}, schema {self.schema})"

    @property
    def shown(self) -> str:
        """Where it is, without user and password."""
        return self._address.shown

    async def open(self) -> None:
        """Connect and migrate, or join those who have it open."""
        async with self._opening:
            if self._users == 0:
                await self._open()
            self._users += 1

    async def close(self) -> None:
        """Leave; the last one closes the connections, after what they do is done."""
        async with self._opening:
            self._users -= 1
            if self._users == 0:
                await self._resources.aclose()
                self._connections = None

    def now(self) -> datetime | None:
        """Return the time for a statement; None lets the server look at its own clock."""
        return None if self._fixed_clock is None else self._fixed_clock.now()

    def corrected(self, moment: datetime | None) -> datetime | None:
        """Return the server's time for one that a worker reckoned with its own clock."""
        return self.clock.corrected(moment) if moment is not None and isinstance(self.clock, ServerClock) else moment

    def statement(self, name: str) -> str:
        """Return the text of a statement."""
        return statement(name, self.schema)

    async def fetch(self, name: str, *values: Any, is_repeatable: bool = False) -> Sequence[Row]:
        """Run a statement in a transaction of its own.

        One that was rolled back for the sake of another is run again; one whose connection was lost only when it is
        repeatable: doing it twice is as good as once.

        Raises:
            ConnectionLostError: it may have happened.
            DatabaseError: it has not.

        """
        failures = 0
        while True:
            try:
                return await self._fetch_once(self.statement(name), values)
            except NotSentError as error:
                failures += 1
                if failures == _TRIES:
                    raise unreachable(error.__cause__, self.shown) from error.__cause__
            except Exception as error:  # noqa: BLE001 - every one is told in the terms of the tree
                failures += 1
                fate = fate_of(error)
                may_repeat = fate is Fate.ROLLED_BACK or (fate is Fate.UNKNOWN and is_repeatable)
                if not may_repeat or failures == _TRIES:
                    told = explained(error, self.shown)
                    raise told from cause_of(told)
            await asyncio.sleep(_BETWEEN_TRIES.delay_seconds(failures))

    async def connect_listener(self) -> Any:
        """Return a connection of its own for LISTEN, or None where a pooler is in between and no way around is known.

        Raises:
            DatabaseError: the server does not answer.

        """
        if self._listen_address is None and self._is_pooled:
            return None
        return await self._connect(self._listen_address or self._address, self._command_timeout_seconds)

    async def compare_clocks(self) -> None:
        """Read the server's time."""
        if isinstance(self.clock, ServerClock):
            self.clock.compare((await self.fetch("now", is_repeatable=True))[0][0])

    async def _fetch_once(self, text: str, values: Sequence[Any]) -> Sequence[Row]:
        if self._connections is None:
            message = f"{self.shown}: the store is closed"
            raise DatabaseError(message)
        return await self._connections.fetch(text, values)

    async def _open(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                # a migration takes its time, and so does waiting for that of another process
                connection = await self._connect(self._address, command_timeout_seconds=None)
                stack.push_async_callback(connection.close)
                await migrate(connection, self.schema, self.shown)
                await self._look_at(connection)
        except Exception as error:  # noqa: BLE001 - every one is told in the terms of the tree
            told = explained_opening(error, self.shown)
            raise told from cause_of(told)
        self.session = secrets.randbits(63)
        self._connections = Connections(self._connect_worker, self._pool_size)
        self._resources.push_async_callback(self._connections.close, self._connect_timeout_seconds)

    async def _connect_worker(self) -> Any:
        # behind a pooler a statement may be prepared on one server connection and run on another
        cached_statements = 0 if self._is_pooled else _CACHED_STATEMENTS
        return await self._connect(self._address, self._command_timeout_seconds, cached_statements)

    async def _connect(
        self, address: Address, command_timeout_seconds: float | None, cached_statements: int = 0
    ) -> Any:
        return await self._driver.connect(
            address.url,
            timeout=self._connect_timeout_seconds,
            command_timeout=command_timeout_seconds,
            statement_cache_size=cached_statements,
        )

    async def _look_at(self, connection: Any) -> None:
        [row] = await connection.fetch(self.statement("backend"))
        # a pooler hands out process numbers of its own
        self._is_pooled = row["pid"] != connection.get_server_pid()
        if isinstance(self.clock, ServerClock):
            self.clock.compare(row["now"])


def _driver() -> Any:
    try:
        import asyncpg
    except ImportError as error:
        raise MissingExtraError("the PostgreSQL queue", "postgres", cause=error) from error
    return asyncpg
