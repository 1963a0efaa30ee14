"""A thread that owns a connection and runs what the event loop hands to it."""

import asyncio
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from portico.adapters.store.sqlite.failures import explained
from portico.exceptions import DatabaseError

Result = TypeVar("Result")
Operation = Callable[[sqlite3.Connection], Result]

_LARGEST_BATCH = 1000
_IDLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Request:
    """An operation that waits for its turn; `in_transaction` is False for what must see between transactions."""

    operation: Operation[Any]
    future: asyncio.Future[Any]
    in_transaction: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request."""

    future: asyncio.Future[Any]
    value: Any = None
    error: BaseException | None = None

    def deliver(self) -> None:
        """Tell the caller, if it still waits."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.value)
        else:
            self.future.set_exception(self.error)


class ConnectionThread(ABC):
    """Runs operations in the order of `submit`, as many together as have gathered while it was busy.

    The thread is a daemon: a process that forgets to close ends all the same, as by kill -9, and loses nothing that
    was answered.
    """

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._requests: SimpleQueue[Request | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Connect; when this raises, nothing is left open."""
        loop = asyncio.get_running_loop()
        connected = loop.create_future()
        self._loop = loop
        self._thread = threading.Thread(target=self._main, args=(connected,), name=self._name, daemon=True)
        self._thread.start()
        try:
            await connected
        except BaseException:
            self._requests.put(None)
            raise

    async def stop(self) -> None:
        """Finish what was submitted, and disconnect; what comes later is refused."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._loop = None
        self._requests.put(None)
        await asyncio.shield(loop.run_in_executor(None, thread.join))

    def submit(self, operation: Operation[Result], *, in_transaction: bool = True) -> asyncio.Future[Result]:
        """Put an operation in line; the future is resolved when its effects are there to stay.

        Raises:
            DatabaseError: the store is closed.

        """
        if self._loop is None:
            message = f"SQLite file {self._path} is closed"
            raise DatabaseError(message, details={"path": str(self._path)})
        future: asyncio.Future[Result] = self._loop.create_future()
        self._requests.put(Request(operation, future, in_transaction))
        return future

    @abstractmethod
    def _connect(self) -> sqlite3.Connection:
        """Open the connection, in the thread."""

    @abstractmethod
    def _disconnect(self, connection: sqlite3.Connection) -> None:
        """Close it, in the thread."""

    @abstractmethod
    def _run(self, connection: sqlite3.Connection, batch: Sequence[Request]) -> list[Outcome]:
        """Run the requests; nothing is raised."""

    @abstractmethod
    def _idle(self, connection: sqlite3.Connection) -> None:
        """Do what is better done when nobody waits."""

    def _main(self, connected: asyncio.Future[None]) -> None:
        loop = connected.get_loop()
        try:
            connection = self._connect()
        except BaseException as error:  # noqa: BLE001 - whoever starts the thread has to know
            _tell(loop, [Outcome(connected, error=explained(error, self._path))])
            return
        try:
            _tell(loop, [Outcome(connected)])
            while (batch := self._next_batch(connection)) is not None:
                _tell(loop, self._run(connection, batch))
        finally:
            self._loop = None
            self._disconnect(connection)

    def _next_batch(self, connection: sqlite3.Connection) -> list[Request] | None:
        first = self._wait_for_request(connection)
        if first is None:
            return None
        batch = [first]
        with suppress(Empty):
            while len(batch) < _LARGEST_BATCH:
                request = self._requests.get_nowait()
                if request is None:
                    # the end is for the next round: what came before it is still to do
                    self._requests.put(None)
                    break
                batch.append(request)
        return batch

    def _wait_for_request(self, connection: sqlite3.Connection) -> Request | None:
        try:
            return self._requests.get(timeout=_IDLE_SECONDS)
        except Empty:
            self._idle(connection)
            return self._requests.get()


def run_alone(connection: sqlite3.Connection, request: Request, path: Path) -> Outcome:
    """Run a request as it is, in whatever transaction there is."""
    try:
        return Outcome(request.future, value=request.operation(connection))
    except Exception as error:  # noqa: BLE001 - an operation's error is its caller's
        return Outcome(request.future, error=explained(error, path))


def _tell(loop: asyncio.AbstractEventLoop, outcomes: Sequence[Outcome]) -> None:
    # a loop that was closed has nobody left who waits
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(_deliver, outcomes)


def _deliver(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        outcome.deliver()
