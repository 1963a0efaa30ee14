"""One SQLite file: its connections, shared by everything that is kept in it."""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeVar, get_args

from portico.adapters.store.sqlite.connection_thread import BatchOperation, Operation
from portico.adapters.store.sqlite.doorbell import Doorbell
from portico.adapters.store.sqlite.failures import explained, refuse_unusable
from portico.adapters.store.sqlite.locks import FileLock, Session
from portico.adapters.store.sqlite.mounts import refuse_network
from portico.adapters.store.sqlite.reader import Reader
from portico.adapters.store.sqlite.schema import Durability
from portico.adapters.store.sqlite.writer import Writer
from portico.exceptions import ConfigurationError
from portico.runtime.loop_lock import LoopLock

Item = TypeVar("Item")
Result = TypeVar("Result")


class SqliteStore:
    """Reference-counted: the queue, the trigger store and the inbox of one file open and close one of these.

    Args:
        path: the file; a folder ``<path>.d`` beside it holds the locks.
        durability: ``"process"`` survives kill -9 and may lose the last 100 ms when the power fails; ``"power"``
            waits for the disk with every commit.
        allow_network_file_system: True when no other machine uses the file.

    """

    def __init__(
        self, path: Path | str, *, durability: Durability = "process", allow_network_file_system: bool = False
    ) -> None:
        if durability not in get_args(Durability):
            raise ConfigurationError(f"durability must be 'process' or 'power', not {durability!r}")
        if sys.platform == "win32":
            raise ConfigurationError("the SQLite queue runs on Linux and macOS; on Windows use another queue")
        self.path = Path(path).absolute()
        self._durability = durability
        self._allows_network = allow_network_file_system
        self._users = 0
        self._opening = LoopLock()
        self._resources = AsyncExitStack()
        self._writer: Writer | None = None
        self._reader: Reader | None = None
        self._session: Session | None = None
        self._doorbell: Doorbell | None = None

    async def open(self) -> None:
        """Open the file, or join those who have it open."""
        async with self._opening:
            if self._users == 0:
                await self._open()
            self._users += 1

    async def close(self) -> None:
        """Leave; the last one closes the file, after what was submitted is done."""
        async with self._opening:
            self._users -= 1
            if self._users == 0:
                await self._resources.aclose()

    @property
    def session(self) -> Session:
        """The mark of life of this open store."""
        assert self._session is not None, "the store is not open"  # noqa: S101 - a mistake in this package
        return self._session

    @property
    def doorbell(self) -> Doorbell:
        """What wakes the other processes on the file."""
        assert self._doorbell is not None, "the store is not open"  # noqa: S101 - a mistake in this package
        return self._doorbell

    def renew_presence(self) -> None:
        """Make again what others know this store by, if somebody deleted it."""
        self.session.renew()
        self.doorbell.renew()

    def submit(self, operation: Operation[Result], *, rows: int = 1) -> asyncio.Future[Result]:
        """Put a write in line, which touches about so many rows; the future is resolved after its commit."""
        return self._open_writer().submit(operation, rows=rows)

    def submit_item(self, run: BatchOperation[Item, Result], item: Item, *, rows: int = 1) -> asyncio.Future[Result]:
        """Put an item in line for a write that takes many in hardly more time than one; else as `submit`."""
        return self._open_writer().submit_item(run, item, rows=rows)

    async def write(self, operation: Operation[Result], *, rows: int = 1) -> Result:
        """Run the operation in a transaction and return its value after the commit.

        It may share the transaction with others, and is run again when one of them fails. When it raises, nothing of
        it is kept. Cancelling the caller does not stop it.
        """
        return await self.submit(operation, rows=rows)

    async def read(self, operation: Operation[Result]) -> Result:
        """Run the operation on what is committed, beside the writer."""
        assert self._reader is not None, "the store is not open"  # noqa: S101 - a mistake in this package
        return await self._reader.submit(operation)

    def data_version(self) -> int | None:
        """Return a number that changes with every commit of another connection; None while this one is at work."""
        return self._open_writer().data_version()

    def _open_writer(self) -> Writer:
        assert self._writer is not None, "the store is not open"  # noqa: S101 - a mistake in this package
        return self._writer

    async def _open(self) -> None:
        async with AsyncExitStack() as stack:
            try:
                path = self.path.resolve()
                refuse_unusable(path)
                if not self._allows_network:
                    refuse_network(path)
                self._prepare_locks(path, stack)
            except OSError as error:
                raise explained(error, self.path) from error
            await self._start_threads(path, stack)
            self._resources = stack.pop_all()

    def _prepare_locks(self, path: Path, stack: AsyncExitStack) -> None:
        folder = Path(f"{path}.d")
        folder.mkdir(exist_ok=True)
        self._session = Session(folder)
        stack.callback(self._session.end)
        self._doorbell = Doorbell(folder, self._session.name)
        stack.callback(self._doorbell.close)
        self._lock = FileLock(folder / "commit.lock")
        stack.callback(self._lock.close)

    async def _start_threads(self, path: Path, stack: AsyncExitStack) -> None:
        self._writer = Writer(path, self._durability, self._lock)
        stack.push_async_callback(self._writer.stop)
        await self._writer.start()
        self._reader = Reader(path)
        stack.push_async_callback(self._reader.stop)
        await self._reader.start()
