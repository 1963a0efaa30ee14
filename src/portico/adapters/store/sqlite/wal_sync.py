"""Bringing the write-ahead log to the disk a few times a second, beside the commits."""

import os
import threading
from pathlib import Path

from portico.utils.logging import get_logger

_EVERY_SECONDS = 0.1

logger = get_logger(__name__)


class WalSync:
    """What was committed is on the disk a tenth of a second later, and no commit waits for it.

    The log is opened a second time here. That is safe: SQLite holds its locks on other files.
    """

    def __init__(self, wal: Path) -> None:
        self._wal = wal
        self._requested = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; nothing happens before the first request."""
        self._thread = threading.Thread(target=self._main, name="portico-sqlite-sync", daemon=True)
        self._thread.start()

    def request(self) -> None:
        """Ask for what is written now to be on the disk soon."""
        if not self._requested.is_set():
            self._requested.set()

    def stop(self) -> None:
        """Sync what was asked for, and end."""
        self._stopped.set()
        self._requested.set()
        if self._thread is not None:
            self._thread.join()

    def _main(self) -> None:
        while True:
            self._requested.wait()
            self._stopped.wait(_EVERY_SECONDS)
            self._requested.clear()
            # looked at behind that: who stops later requests later, and is heard in the next round
            is_last = self._stopped.is_set()
            self._sync()
            if is_last:
                return

    def _sync(self) -> None:
        try:
            descriptor = os.open(self._wal, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError as error:
            logger.warning("sqlite_wal_sync_failed", path=str(self._wal), error=str(error))
            return
        try:
            _flush(descriptor)
        except OSError as error:
            logger.warning("sqlite_wal_sync_failed", path=str(self._wal), error=str(error))
        finally:
            os.close(descriptor)


def _flush(descriptor: int) -> None:
    # macOS has no fdatasync
    getattr(os, "fdatasync", os.fsync)(descriptor)
