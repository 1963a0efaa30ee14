"""Whether the files of a database are still those that were opened."""

import os
from enum import Enum, auto
from pathlib import Path


class LogState(Enum):
    """What there is under the name of the write-ahead log."""

    OPEN = auto()
    """The log that was opened."""
    DELETED = auto()
    REPLACED = auto()
    """A log that others began."""


class OpenFiles:
    """The database and its write-ahead log as they were when `note` was called.

    Looked at by name only: opening and closing them here would drop the locks that SQLite holds on them.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._log_path = f"{path}-wal"
        self._database = 0
        self._log = 0
        self.log_bytes = 0
        """How long the log was when it was last looked at."""

    def note(self) -> None:
        """Remember the files that are there."""
        self._database, _ = _look_at(self._path)
        self._log, self.log_bytes = _look_at(self._log_path)

    def is_database_there(self) -> bool:
        """Tell whether the database is still under its name."""
        return _look_at(self._path)[0] == self._database

    def log_state(self) -> LogState:
        """Look at the log."""
        identity, self.log_bytes = _look_at(self._log_path)
        if identity == self._log:
            return LogState.OPEN
        return LogState.REPLACED if identity else LogState.DELETED


def _look_at(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - a third of the time, at each commit
    except OSError:
        return 0, 0
    return found.st_ino, found.st_size
