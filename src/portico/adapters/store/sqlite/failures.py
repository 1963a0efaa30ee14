"""What SQLite's errors mean to whoever has to do something about them."""

import os
import sqlite3
from pathlib import Path

from portico.exceptions import ConfigurationError, DatabaseError, PorticoError

_WAYS_OUT = {
    "SQLITE_FULL": "the disk is full: make room and try again; nothing was changed",
    "SQLITE_IOERR": (
        "reading or writing failed: look at the free space, the file size limit and the disk; nothing was changed"
    ),
    "SQLITE_CORRUPT": (
        "the file is damaged: stop all processes that use it, then restore a backup, or recover what is left with "
        "'sqlite3 FILE .recover', or move it away and a new one is made"
    ),
    "SQLITE_NOTADB": (
        "the file is not an SQLite database: name another file, or move this one away and a new one is made"
    ),
    "SQLITE_READONLY": "the file or its folder cannot be written: give this user the right to",
    "SQLITE_CANTOPEN": "the file cannot be opened: look at its rights and those of its folder",
    "SQLITE_BUSY": "another program holds the file locked: end its transaction and try again",
    "SQLITE_TOOBIG": "a value is larger than SQLite takes; nothing was changed",
}


def explained(error: BaseException, path: Path) -> BaseException:
    """Return the error of the tree for one of SQLite or the system, with the file and the way out."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorname", None) or type(error).__name__
        known = next((way for prefix, way in _WAYS_OUT.items() if code.startswith(prefix)), None)
        return DatabaseError(
            f"SQLite file {path}: {known or error}", details={"path": str(path), "code": code}, cause=error
        )
    if isinstance(error, OSError):
        return DatabaseError(f"SQLite file {path}: {error.strerror or error}", details={"path": str(path)}, cause=error)
    return error


def refuse_unusable(path: Path) -> None:
    """Refuse a place where no database can be, before SQLite says less about it.

    Raises:
        ConfigurationError: the way out is named.

    """
    folder = path.parent
    if not folder.is_dir():
        raise _unusable(path, f"the folder {folder} does not exist: create it")
    if path.is_dir():
        raise _unusable(path, "this is a folder: name a file in it")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _unusable(path, f"the folder {folder} cannot be written: give this user the right to")
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise _unusable(path, "the file cannot be read and written: give this user the right to")


def _unusable(path: Path, way_out: str) -> PorticoError:
    return ConfigurationError(f"SQLite file {path}: {way_out}", details={"path": str(path)})
