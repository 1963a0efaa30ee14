"""A thread that owns a connection and runs what the event loop hands to it."""

import asyncio
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, ClassVar, TypeVar

from portico.adapters.store.sqlite.failures import explained
from portico.exceptions import DatabaseError

Item = TypeVar("Item")
Result = TypeVar("Result")
Operation = Callable[[sqlite3.Connection], Result]
BatchOperation = Callable[[sqlite3.Connection, Sequence[Item]], Sequence[Result]]

MANY_ROWS = 1_000_000
"""What an operation touches when nobody knows."""
IDLE_SECONDS = 1.0
_LARGEST_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Request:
    """What waits for its turn; requests beside each other that want the same done are run as one."""

    run: BatchOperation[Any, Any]
    item: Any
    future: asyncio.Future[Any]
    rows: int = 1
    """About how many rows it touches."""


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

    _name: ClassVar[str]

    def __init__(self, path: Path) -> None:
        self._path = path
        self._requests: SimpleQueue[Sequence[Request] | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._unanswered = 0

    async def start(self) -> None:
        """Connect; when this raises, nothing is left open."""
        loop = asyncio.get_running_loop()
        connected = loop.create_future()
        self._loop = loop
        self._unanswered = 1
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

    def submit(self, operation: Operation[Result], *, rows: int = 1) -> asyncio.Future[Result]:
        """Put an operation in line; the future is resolved when its effects are there to stay.

        Raises:
            DatabaseError: the store is closed.

        """
        return self.submit_item(_each, operation, rows=rows)

    def submit_item(self, run: BatchOperation[Item, Result], item: Item, *, rows: int = 1) -> asyncio.Future[Result]:
        """Put an item in line for an operation that takes many in hardly more time than one; else as `submit`."""
        if self._loop is None:
            raise DatabaseError(f"SQLite file {self._path} is closed", details={"path": str(self._path)})
        future: asyncio.Future[Result] = self._loop.create_future()
        self._accept(Request(run, item, future, rows))
        return future

    def _accept(self, request: Request) -> None:
        self._hand_over([request])

    def _hand_over(self, requests: Sequence[Request]) -> None:
        """Give requests to the thread."""
        self._unanswered += len(requests)
        self._requests.put(requests)

    @property
    @abstractmethod
    def _is_at_rest(self) -> bool:
        """False while there is something to do when nobody has asked for a while."""

    @abstractmethod
    def _connect(self) -> None:
        """Open the connection, in the thread."""

    @abstractmethod
    def _disconnect(self) -> None:
        """Close it, in the thread."""

    @abstractmethod
    def _run(self, batch: Sequence[Request]) -> list[Outcome]:
        """Run the requests; nothing is raised."""

    @abstractmethod
    def _idle(self) -> None:
        """Do what is better done when nobody waits."""

    def _main(self, connected: asyncio.Future[None]) -> None:
        loop = connected.get_loop()
        try:
            self._connect()
        except BaseException as error:  # noqa: BLE001 - whoever starts the thread has to know
            self._tell(loop, [Outcome(connected, error=explained(error, self._path))])
            return
        try:
            self._tell(loop, [Outcome(connected)])
            while (batch := self._next_batch()) is not None:
                if batch:
                    self._tell(loop, self._run(batch))
        finally:
            self._loop = None
            self._disconnect()

    def _next_batch(self) -> list[Request] | None:
        first = self._wait_for_requests()
        if first is None:
            return None
        batch = [*first]
        with suppress(Empty):
            while len(batch) < _LARGEST_BATCH:
                requests = self._requests.get_nowait()
                if requests is None:
                    # the end is for the next round: what came before it is still to do
                    self._requests.put(None)
                    break
                batch += requests
        return batch

    def _wait_for_requests(self) -> Sequence[Request] | None:
        while True:
            try:
                return self._requests.get(timeout=None if self._is_at_rest else IDLE_SECONDS)
            except Empty:
                self._idle()

    def _tell(self, loop: asyncio.AbstractEventLoop, outcomes: Sequence[Outcome]) -> None:
        # a loop that was closed has nobody left who waits
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._deliver, outcomes)

    def _deliver(self, outcomes: Sequence[Outcome]) -> None:
        self._unanswered -= len(outcomes)
        for outcome in outcomes:
            outcome.deliver()


def run_in_order(connection: sqlite3.Connection, requests: Sequence[Request]) -> list[Outcome]:
    """Run the requests in whatever transaction there is; what one of them raises is raised."""
    outcomes: list[Outcome] = []
    for run, together in groupby(requests, key=attrgetter("run")):
        group = list(together)
        results = run(connection, [request.item for request in group])
        outcomes += [Outcome(request.future, result) for request, result in zip(group, results, strict=True)]
    return outcomes


def run_alone(connection: sqlite3.Connection, request: Request, path: Path) -> Outcome:
    """Run a request in whatever transaction there is; nothing is raised."""
    try:
        return run_in_order(connection, [request])[0]
    except Exception as error:  # noqa: BLE001 - an operation's error is its caller's
        return Outcome(request.future, error=explained(error, path))


def _each(connection: sqlite3.Connection, operations: Sequence[Operation[Result]]) -> list[Result]:
    return [operation(connection) for operation in operations]
