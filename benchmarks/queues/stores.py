"""The stores, empty for each measurement: a folder, a database or a server of our own, gone afterwards."""

import asyncio
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil
from asyncpg.exceptions import PostgresError
from typing_extensions import override

DATABASE = "portico_bench"
POSTGRESQL_URL = "PORTICO_TEST_POSTGRES_URL"
_DEFAULT_POSTGRESQL_URL = "postgresql://postgres@127.0.0.1:5432/test"
_IN_MEMORY = {"tmpfs", "ramfs"}
_CONNECT_SECONDS = 5.0


class StoreMissingError(Exception):
    """The store is not there; the message says what to do."""


class Store(ABC):
    """Where jobs are kept while they are measured."""

    @abstractmethod
    def description(self) -> str:
        """Say what it is and how it is set; `StoreMissingError` when it is not there."""

    @abstractmethod
    def fresh(self) -> Iterator[str]:
        """Yield the URL of an empty one, and remove it."""

    @contextmanager
    def empty(self) -> Iterator[str]:
        """Give the URL of an empty one for the time of the block."""
        yield from self.fresh()


class SqliteFolder(Store):
    """A folder on a disk; one in memory would flatter whoever syncs more often."""

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = parent or _folder_on_disk()

    @override
    def description(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}, files in {self._parent} ({_file_system(self._parent)})"

    @override
    def fresh(self) -> Iterator[str]:
        with tempfile.TemporaryDirectory(prefix="portico-bench-", dir=self._parent) as folder:
            yield f"sqlite:///{folder}/jobs.db"


class PostgresqlDatabase(Store):
    """A database of our own in the server of the tests."""

    def __init__(self) -> None:
        self._server_url = os.environ.get(POSTGRESQL_URL) or _DEFAULT_POSTGRESQL_URL

    @override
    def description(self) -> str:
        names = ("server_version", "fsync", "synchronous_commit", "shared_buffers")
        values = [self._run(f"SHOW {name}") for name in names]
        return "PostgreSQL: " + ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))

    @override
    def fresh(self) -> Iterator[str]:
        drop = f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"
        self._run(drop)
        self._run(f"CREATE DATABASE {DATABASE}")
        try:
            yield urlunsplit(urlsplit(self._server_url)._replace(path=f"/{DATABASE}"))
        finally:
            self._run(drop)

    def _run(self, sql: str) -> Any:
        return asyncio.run(self._fetch(sql))

    async def _fetch(self, sql: str) -> Any:
        try:
            connection = await asyncpg.connect(self._server_url, timeout=_CONNECT_SECONDS)  # type: ignore[no-untyped-call] # - annotated in part
        except (OSError, TimeoutError, PostgresError) as error:
            raise StoreMissingError(f"no PostgreSQL ({type(error).__name__}); set {POSTGRESQL_URL}") from None
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()


class RedisServer(Store):
    """A server of our own on a free port: nobody else's keys are in reach."""

    _OPTIONS = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--loglevel", "warning")

    @override
    def description(self) -> str:
        version = subprocess.run([self._binary(), "--version"], check=True, capture_output=True, text=True)
        return f"{version.stdout.split(' sha=')[0].strip()}, a server of our own, no AOF and no snapshots"

    @override
    def fresh(self) -> Iterator[str]:
        port = _free_port()
        with tempfile.TemporaryDirectory(prefix="portico-bench-") as folder:
            command = [self._binary(), "--port", str(port), "--dir", folder, *self._OPTIONS]
            server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            try:
                _wait_for(port)
                yield f"redis://127.0.0.1:{port}/0"
            finally:
                server.terminate()
                server.wait()

    def _binary(self) -> str:
        for name in ("redis-server", "valkey-server"):
            if found := shutil.which(name):
                return found
        raise StoreMissingError("redis-server is not installed")


STORES: dict[str, type[Store]] = {"sqlite": SqliteFolder, "postgresql": PostgresqlDatabase, "redis": RedisServer}


def _folder_on_disk() -> Path:
    candidates = [Path(tempfile.gettempdir()), Path("/var/tmp"), Path.cwd()]  # noqa: S108 - looked at, not written
    on_disk = [folder for folder in candidates if folder.is_dir() and _file_system(folder) not in _IN_MEMORY]
    return on_disk[0] if on_disk else candidates[-1]


def _file_system(folder: Path) -> str:
    real = folder.resolve()
    mounts = [mount for mount in psutil.disk_partitions(all=True) if real.is_relative_to(mount.mountpoint)]
    return max(mounts, key=lambda mount: len(mount.mountpoint)).fstype if mounts else "unknown"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _CONNECT_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError as error:
            if time.monotonic() > deadline:
                raise StoreMissingError("redis-server does not start") from error
            time.sleep(0.05)
        else:
            return
