"""Telling other processes that there is something to claim, and being told."""

import asyncio
import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from portico.adapters.ready_signals import ReadySignals
from portico.adapters.store.postgres.store import PostgresStore
from portico.exceptions import DatabaseError
from portico.runtime.backoff import Backoff
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_BETWEEN_RINGS_SECONDS = 0.005
_HEARTBEAT_SECONDS = 15.0
_BACKOFF = Backoff(base_seconds=0.2, cap_seconds=10.0, jitter=0.2)
_LONGEST_MESSAGE = 7000
_SHORTEST_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 1.0
_ALL = "*"


class Doorbell:
    """Rings for queues: at once, then again at most every five milliseconds for all that gathered.

    A notification takes a lock of the whole database until its commit; so it has a transaction of its own, and never
    one of those that store jobs. One that is lost costs others the time until they look themselves.
    """

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self._names: set[str] = set()
        self._ringing: asyncio.Task[None] | None = None

    def ring(self, queue_names: Iterable[str]) -> None:
        """Ring soon."""
        self._names.update(queue_names)
        if self._names and self._ringing is None:
            self._ringing = asyncio.create_task(self._ring(), name="portico-postgres-doorbell")

    async def close(self) -> None:
        """Ring for what is left, and end."""
        if self._ringing is not None:
            await self._ringing

    async def _ring(self) -> None:
        try:
            while self._names:
                names, self._names = self._names, set()
                try:
                    await self._store.fetch("doorbell_ring", channel(self._store), _message(self._store, names))
                except DatabaseError as error:
                    logger.debug("doorbell_not_rung", error=str(error))
                await asyncio.sleep(_BETWEEN_RINGS_SECONDS)
        finally:
            self._ringing = None


class Listener:
    """Wakes who waits when another process rings; connects anew for as long as it takes.

    Losing the connection costs latency only: then `watch` looks more often.
    """

    def __init__(self, store: PostgresStore, signals: ReadySignals) -> None:
        self._store = store
        self._signals = signals
        self._heard = asyncio.Event()
        self._failures = 0
        self.is_listening = False

    async def run(self) -> None:
        """Listen until cancelled; return when listening is not possible here at all."""
        while True:
            try:
                connection = await self._store.connect_listener()
                if connection is None:
                    return
                await self._listen(connection)
            except Exception as error:  # noqa: BLE001 - the supervised loop of the listener; polling goes on
                self._failures += 1
                log = logger.warning if self._failures == 1 else logger.debug
                log("queue_listener_lost", error=type(error).__name__, database=self._store.shown)
            finally:
                self.is_listening = False
            await asyncio.sleep(_BACKOFF.delay_seconds(self._failures))

    async def _listen(self, connection: Any) -> None:
        is_gone, self._heard = asyncio.Event(), asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: is_gone.set())
            await connection.add_listener(channel(self._store), self._hear)
            while not is_gone.is_set():
                await self._prove(connection)
                self._begin()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_HEARTBEAT_SECONDS):
                        await is_gone.wait()
        finally:
            connection.terminate()
        raise ConnectionResetError

    def _begin(self) -> None:
        if self.is_listening:
            return
        self.is_listening = True
        self._failures = 0
        # whatever was rung for before this
        self._signals.ring_all()

    async def _prove(self, connection: Any) -> None:
        """Ring for nobody and hear it: a connection may be dead without saying so."""
        self._heard.clear()
        await connection.execute("SELECT pg_notify($1, $2)", channel(self._store), "[]")
        async with asyncio.timeout(_HEARTBEAT_SECONDS):
            await self._heard.wait()

    def _hear(self, _connection: object, _process: int, _channel: str, message: object) -> None:
        self._heard.set()
        # anybody may ring here, with anything
        with suppress(ValueError, TypeError, RecursionError):
            session, *names = json.loads(str(message))
            if session == self._store.session:
                return
            if names == [_ALL]:
                self._signals.ring_all()
                return
            self._signals.ring(names)


class Watch:
    """Looks for what nobody rang for: seldom while the listener hears, else often after something happened."""

    def __init__(self, signals: ReadySignals, listener: Listener) -> None:
        self._signals = signals
        self._listener = listener
        self._pause = _SHORTEST_PAUSE_SECONDS

    def quicken(self) -> None:
        """Something happened: more may follow."""
        self._pause = _SHORTEST_PAUSE_SECONDS

    async def run(self) -> None:
        """Look and listen until cancelled, from the first time that anybody waits; who only creates jobs does not."""
        await self._signals.somebody_waits()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listener.run(), name="portico-postgres-listener")
            while True:
                await self._signals.somebody_waits()
                # the real clock: what other processes do does not wait for a test's
                await asyncio.sleep(_LONGEST_PAUSE_SECONDS if self._listener.is_listening else self._pause)
                self._pause = min(self._pause * 1.5, _LONGEST_PAUSE_SECONDS)
                self._signals.ring_all()


def channel(store: PostgresStore) -> str:
    """Return the name under which a schema's processes ring."""
    return f"portico_{store.schema}"


def _message(store: PostgresStore, names: Iterable[str]) -> str:
    message = json.dumps([store.session, *names])
    return message if len(message) <= _LONGEST_MESSAGE else json.dumps([store.session, _ALL])
