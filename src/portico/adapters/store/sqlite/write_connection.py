"""The connection that writes: transactions and checkpoints, one at a time among all processes."""

import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from portico.adapters.store.sqlite import schema
from portico.adapters.store.sqlite.connection_thread import IDLE_SECONDS, Outcome, Request, run_in_order
from portico.adapters.store.sqlite.failures import explained
from portico.adapters.store.sqlite.locks import FileLock
from portico.adapters.store.sqlite.open_files import LogState, OpenFiles
from portico.adapters.store.sqlite.schema import Durability, connect_writer
from portico.adapters.store.sqlite.wal_sync import WalSync
from portico.exceptions import DatabaseError
from portico.utils.logging import get_logger

_CHECKPOINT_BYTES = 16 * 2**20
_BUSY_SECONDS = 0.005

logger = get_logger(__name__)


class WriteConnection:
    """For whichever thread has it at the moment: the writer's, or the event loop's for something small.

    SQLite before 3.51.3 may lose commits when two connections write and checkpoint at the same moment; so every
    commit and every checkpoint of all processes happens under one file lock. It also wakes the next writer at
    once, where SQLite itself would sleep and look again.
    """

    def __init__(self, path: Path, durability: Durability, lock: FileLock) -> None:
        self._path = path
        self._durability = durability
        self._lock = lock
        self._turn = threading.Lock()
        self._files = OpenFiles(path)
        self._sync = WalSync(Path(f"{path}-wal")) if durability == "process" else None
        self._checkpoint_above = _CHECKPOINT_BYTES
        self._last_commit = 0.0
        self.is_checkpointed = True
        """False while there are commits that no checkpoint has seen."""

    def open(self) -> None:
        """Connect."""
        with self._lock.held():
            self._connect()
        if self._sync is not None:
            self._sync.start()

    def close(self) -> None:
        """Disconnect; what was committed is synced."""
        if self._sync is not None:
            self._sync.stop()
        # the last connection to close makes a checkpoint
        with self._lock.held(), suppress(sqlite3.Error):
            self._connection.close()

    def commit(self, batch: Sequence[Request]) -> list[Outcome]:
        """Run the requests as one transaction; when that fails each in its own, so that each meets its own error."""
        with self._turn:
            try:
                return self._waiting_for_lock(batch)
            except Exception:  # noqa: BLE001 - one of them spoiled it for all: alone, each meets its own error
                return [self._commit_alone(request) for request in batch]

    def commit_at_once(self, batch: Sequence[Request]) -> list[Outcome] | None:
        """Do as `commit` where nothing has to be waited for; None where it has, or on an error: nothing was changed."""
        if not self._turn.acquire(blocking=False):
            return None
        try:
            if not self._lock.take_at_once():
                return None
            try:
                return self._in_transaction(batch, wait_seconds=0.0) if self._is_ready_to_write() else None
            finally:
                self._lock.release()
        except Exception:  # noqa: BLE001 - `commit` will meet it again, and say whose it is
            return None
        finally:
            self._turn.release()

    def data_version_at_once(self) -> int | None:
        """Return a number that changes with every commit of another connection; None while this one is at work."""
        if not self._turn.acquire(blocking=False):
            return None
        try:
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error as error:
            raise explained(error, self._path) from error
        else:
            return version
        finally:
            self._turn.release()

    def checkpoint_when_long(self) -> None:
        """Keep the log bounded while there is no pause."""
        if self._is_log_long:
            self._checkpoint()

    def checkpoint_when_quiet(self) -> None:
        """Bring what was committed into the file when there is a pause."""
        if time.monotonic() - self._last_commit >= IDLE_SECONDS / 2:
            self._checkpoint()

    def _connect(self) -> None:
        self._connection = connect_writer(self._path, self._durability)
        self._files.note()

    def _commit_alone(self, request: Request) -> Outcome:
        try:
            return self._waiting_for_lock([request])[0]
        except Exception as error:  # noqa: BLE001 - an operation's error is its caller's
            return Outcome(request.future, error=explained(error, self._path))

    def _waiting_for_lock(self, writes: Sequence[Request]) -> list[Outcome]:
        with self._lock.held():
            self._require_database()
            if self._files.log_state() is not LogState.OPEN:
                self._save_log()
            return self._in_transaction(writes, schema.FOREIGN_WRITERS_SECONDS)

    def _in_transaction(self, writes: Sequence[Request], wait_seconds: float) -> list[Outcome]:
        connection = self._connection
        self._begin(wait_seconds)
        try:
            outcomes = run_in_order(connection, writes)
            connection.execute("COMMIT")
        except BaseException:
            # some errors have rolled back already
            with suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            raise
        self.is_checkpointed = False
        self._last_commit = time.monotonic()
        if self._sync is not None:
            self._sync.request()
        return outcomes

    def _begin(self, wait_seconds: float) -> None:
        # programs that are not ours know nothing of the lock
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() >= deadline:
                    raise
            else:
                return
            time.sleep(_BUSY_SECONDS)

    @property
    def _is_log_long(self) -> bool:
        return self._files.log_bytes >= self._checkpoint_above

    def _is_ready_to_write(self) -> bool:
        return self._files.is_database_there() and self._files.log_state() is LogState.OPEN and not self._is_log_long

    def _require_database(self) -> None:
        if not self._files.is_database_there():
            raise DatabaseError(
                f"SQLite file {self._path} was moved or deleted while it was open; nothing was changed: "
                "bring it back, or start again",
                details={"path": str(self._path)},
            )

    def _save_log(self) -> None:
        """Begin a new log, after what was in one that somebody deleted is in the file.

        As long as it is open here nothing is lost; where there is a new one already, another process has done that.
        """
        if self._files.log_state() is LogState.DELETED:
            logger.warning("sqlite_log_deleted", path=str(self._path))
            is_busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if is_busy:
                raise DatabaseError(
                    f"SQLite file {self._path}: its log was deleted, and what is in it cannot be saved while others "
                    "read; nothing was changed: try again",
                    details={"path": str(self._path)},
                )
        self._connection.close()
        self._connect()

    def _checkpoint(self) -> None:
        try:
            with self._turn, self._lock.held():
                # also cuts the log: its length says when the next one is due
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self.is_checkpointed = True
        except (sqlite3.Error, OSError) as error:
            # nothing is lost: the log stays, and the next one tries again
            logger.warning("sqlite_checkpoint_failed", path=str(self._path), error=str(error))
        # a reader may have kept the log from being cut
        self._files.log_state()
        self._checkpoint_above = self._files.log_bytes + _CHECKPOINT_BYTES


def _is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
