"""The two connections of a store: one that writes in groups, one that only reads."""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from typing_extensions import override

from portico.adapters.store.sqlite.connection_thread import ConnectionThread, Outcome, Request, run_alone
from portico.adapters.store.sqlite.failures import explained
from portico.adapters.store.sqlite.locks import FileLock
from portico.adapters.store.sqlite.schema import Durability, connect_reader, connect_writer
from portico.adapters.store.sqlite.wal_sync import WalSync
from portico.utils.logging import get_logger

_CHECKPOINT_BYTES = 16 * 2**20
_TRUNCATE_BYTES = 64 * 2**20

logger = get_logger(__name__)


class WriterThread(ConnectionThread):
    """Commits whatever has gathered as one transaction.

    SQLite before 3.51.3 may lose commits when two connections write and checkpoint at the same moment; so every
    commit and every checkpoint of all processes happens under one file lock. It also wakes the next writer at
    once, where SQLite itself would sleep and look again.
    """

    def __init__(self, path: Path, durability: Durability, lock: FileLock) -> None:
        super().__init__("portico-sqlite-writer", path)
        self._durability = durability
        self._lock = lock
        self._wal = Path(f"{path}-wal")
        self._sync = WalSync(self._wal) if durability == "process" else None
        self._is_checkpointed = True

    @override
    def _connect(self) -> sqlite3.Connection:
        with self._lock.held():
            connection = connect_writer(self._path, self._durability)
        if self._sync is not None:
            self._sync.start()
        return connection

    @override
    def _disconnect(self, connection: sqlite3.Connection) -> None:
        if self._sync is not None:
            self._sync.stop()
        # the last connection to close makes a checkpoint
        with self._lock.held(), suppress(sqlite3.Error):
            connection.close()

    @override
    def _run(self, connection: sqlite3.Connection, batch: Sequence[Request]) -> list[Outcome]:
        outcomes = [run_alone(connection, request, self._path) for request in batch if not request.in_transaction]
        writes = [request for request in batch if request.in_transaction]
        if writes:
            outcomes += self._write(connection, writes)
        return outcomes

    @override
    def _idle(self, connection: sqlite3.Connection) -> None:
        if not self._is_checkpointed:
            self._checkpoint(connection, "TRUNCATE" if self._wal_bytes() > _TRUNCATE_BYTES else "PASSIVE")

    def _write(self, connection: sqlite3.Connection, writes: Sequence[Request]) -> list[Outcome]:
        try:
            outcomes = self._in_transaction(connection, writes)
        except Exception:  # noqa: BLE001 - one of them spoiled it for all: alone, each meets its own error
            outcomes = [self._commit_alone(connection, request) for request in writes]
        self._is_checkpointed = False
        if self._sync is not None:
            self._sync.request()
        if self._wal_bytes() >= _CHECKPOINT_BYTES:
            self._checkpoint(connection, "PASSIVE")
        return outcomes

    def _commit_alone(self, connection: sqlite3.Connection, request: Request) -> Outcome:
        try:
            return self._in_transaction(connection, [request])[0]
        except Exception as error:  # noqa: BLE001 - an operation's error is its caller's
            return Outcome(request.future, error=explained(error, self._path))

    def _in_transaction(self, connection: sqlite3.Connection, writes: Sequence[Request]) -> list[Outcome]:
        with self._lock.held():
            try:
                connection.execute("BEGIN IMMEDIATE")
                outcomes = [Outcome(request.future, value=request.operation(connection)) for request in writes]
                connection.execute("COMMIT")
            except BaseException:
                # some errors have rolled back already
                with suppress(sqlite3.Error):
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                raise
        return outcomes

    def _checkpoint(self, connection: sqlite3.Connection, mode: str) -> None:
        try:
            with self._lock.held():
                connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
            self._is_checkpointed = True
        except (sqlite3.Error, OSError) as error:
            # nothing is lost: the log stays, and the next one tries again
            logger.warning("sqlite_checkpoint_failed", path=str(self._path), error=str(error))

    def _wal_bytes(self) -> int:
        try:
            return self._wal.stat().st_size
        except OSError:
            return 0


class ReaderThread(ConnectionThread):
    """Reads what is committed, beside the writer."""

    def __init__(self, path: Path) -> None:
        super().__init__("portico-sqlite-reader", path)

    @override
    def _connect(self) -> sqlite3.Connection:
        return connect_reader(self._path)

    @override
    def _disconnect(self, connection: sqlite3.Connection) -> None:
        connection.close()

    @override
    def _run(self, connection: sqlite3.Connection, batch: Sequence[Request]) -> list[Outcome]:
        return [run_alone(connection, request, self._path) for request in batch]

    @override
    def _idle(self, connection: sqlite3.Connection) -> None:
        pass
