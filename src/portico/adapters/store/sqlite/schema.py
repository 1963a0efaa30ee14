"""The file: how a connection to it is set up, and the versions of its tables."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from portico.adapters.store.sqlite.statements import migrations
from portico.exceptions import ConfigurationError

Durability = Literal["process", "power"]

APPLICATION_ID = 0x506F7254
_OLDEST_SQLITE = (3, 37, 0)
FOREIGN_WRITERS_SECONDS = 5.0

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # 8 MB: the system keeps the file in memory too, and more was no faster with a million jobs
    "PRAGMA cache_size = -8192",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA mmap_size = 0",
    # checkpoints are made under the commit lock, never by the way
    "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA journal_size_limit = 67108864",
)
_SYNCHRONOUS: dict[Durability, tuple[str, ...]] = {
    "process": ("PRAGMA synchronous = NORMAL",),
    "power": ("PRAGMA synchronous = FULL", "PRAGMA fullfsync = ON"),
}


def connect_writer(path: Path, durability: Durability) -> sqlite3.Connection:
    """Open the file, making or migrating it; the caller holds the commit lock."""
    _require_sqlite()
    connection = _connect(path)
    try:
        if not path.stat().st_size:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        for pragma in (*_PRAGMAS, *_SYNCHRONOUS[durability]):
            connection.execute(pragma)
        _require_log(connection, path)
        migrate(connection, path, migrations())
        # who may wait for programs that know nothing of the commit lock, and how long, is decided for each commit
        connection.execute("PRAGMA busy_timeout = 0")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open a file that the writer has made ready, for reading only."""
    connection = _connect(path)
    connection.execute("PRAGMA query_only = ON")
    return connection


def migrate(connection: sqlite3.Connection, path: Path, scripts: Sequence[str]) -> None:
    """Bring the tables to the version that `scripts` lead to, each step whole or not at all.

    Raises:
        ConfigurationError: the file is newer than this code, or another application's.

    """
    known = len(scripts)
    version = _schema_version(connection, path)
    if version > known:
        raise ConfigurationError(
            f"SQLite file {path} was written by a newer Portico: its schema is {version}, "
            f"this one knows {known}; upgrade portico-jobs",
            details={"path": str(path), "schema": version, "known": known},
        )
    for number, script in enumerate(scripts[version:], start=version + 1):
        marks = f"PRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {number};"
        try:
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\n{marks}\nCOMMIT;")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _schema_version(connection: sqlite3.Connection, path: Path) -> int:
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if application == APPLICATION_ID:
        return version
    if application or version:
        raise ConfigurationError(
            f"SQLite file {path} belongs to another application (application_id {application}, "
            f"user_version {version}): give Portico a file of its own",
            details={"path": str(path)},
        )
    return 0


def _require_log(connection: sqlite3.Connection, path: Path) -> None:
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    if mode != "wal":
        raise ConfigurationError(
            f"SQLite file {path} is on a file system without a write-ahead log: use a local disk",
            details={"path": str(path), "journal_mode": mode},
        )


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path,
        timeout=FOREIGN_WRITERS_SECONDS,
        isolation_level=None,
        # one thread at a time, but not always the same
        check_same_thread=False,
        cached_statements=256,
    )


def _require_sqlite() -> None:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        needed = ".".join(map(str, _OLDEST_SQLITE))
        raise ConfigurationError(
            f"the SQLite queue needs SQLite {needed} or newer, this Python has {sqlite3.sqlite_version}"
        )
