"""A PostgreSQL server and a PgBouncer of the tests' own, on ports that were free."""

import asyncio
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import urlsplit

import pytest

PASSWORD = "hidden-word"
_START_SECONDS = 20
# messages of PostgreSQL's protocol, version 3
_PARSE = rb"P.{4}(\w+)\x00[^\x00]*%b"
_BIND = rb"B.{4}\x00%b\x00"
_COMPLETE = rb"C\x00\x00\x00.SELECT \d"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class OwnServer:
    """A server that may be killed, with a user who has a password."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._data = folder / "data"
        self._log = folder / "log"
        self._port = free_port()
        folder.mkdir()
        _give_away(folder)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        _give_away(secret)
        self._run("initdb", "-D", self._data, "-U", "owner", "-A", "scram-sha-256", f"--pwfile={secret}", "-N")
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"port = {self._port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n"
                "shared_buffers = '16MB'\nmax_connections = 40\n"
            )

    @property
    def url(self) -> str:
        return self.url_as(f"owner:{PASSWORD}")

    def url_as(self, user: str, database: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        # what is left of a killed server may still be about to end
        while not self._starts():
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.1)

    def kill(self) -> None:
        """End it as a power cut of its host would, but for the disk's cache."""
        postmaster = int((self._data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGKILL)

    def stop(self) -> None:
        with suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-D", self._data, "-m", "immediate", "stop")

    def _starts(self) -> bool:
        try:
            self._run("pg_ctl", "-D", self._data, "-l", self._log, "-w", "-t", "10", "start")
        except subprocess.CalledProcessError:
            return False
        return True

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [self._binaries / program, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=_unprivileged())


@pytest.fixture(scope="module")
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    """Yield a running server; it is stopped afterwards."""
    binaries = _server_binaries()
    if binaries is None:
        _skip("the programs of a PostgreSQL server are not installed (apt-get install postgresql)")
    server = OwnServer(binaries, _reachable_folder(tmp_path_factory, "postgres"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def pgbouncer_url(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a PgBouncer in transaction mode before the tests' server."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed")
    parts = urlsplit(postgres_url)
    folder = _reachable_folder(tmp_path_factory, "pgbouncer")
    folder.mkdir()
    port = free_port()
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n* = host={parts.hostname} port={parts.port or 5432} user={parts.username}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        "pool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 100\n"
    )
    _give_away(folder)
    process = subprocess.Popen([program, "-q", settings], user=_unprivileged(), stderr=subprocess.DEVNULL)
    _wait_for(port)
    yield parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}").geturl()
    process.terminate()
    process.wait(10)


class LossyWire:
    """A TCP proxy that can lose a reply: the request arrives, and the connection breaks before its answer."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._unheard: bytes | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        user, _, _ = self._parts.netloc.rpartition("@")
        self.url = self._parts._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def lose_the_reply_to(self, statement: str) -> None:
        """Lose the reply to the next statement that has these words and is prepared for it."""
        self._unheard = statement.encode()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(
            self._parts.hostname or "127.0.0.1", self._parts.port or 5432
        )
        self._writers |= {writer, far_writer}
        is_doomed = asyncio.Event()
        for pump in (self._ask(reader, far_writer, is_doomed), self._answer(far_reader, writer, is_doomed)):
            task = asyncio.create_task(self._until_one_ends(pump, {writer, far_writer}))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _until_one_ends(self, pump: Coroutine[Any, Any, None], both: set[asyncio.StreamWriter]) -> None:
        with suppress(OSError):
            await pump
        for writer in both:
            writer.transport.abort()
        self._writers -= both

    async def _ask(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, is_doomed: asyncio.Event) -> None:
        name = b""
        while data := await source.read(65_536):
            if self._unheard is not None and (parse := re.search(_PARSE % re.escape(self._unheard), data, re.DOTALL)):
                self._unheard, name = None, parse[1]
            # the driver may ask for types between preparing a statement and running it
            if name and re.search(_BIND % name, data, re.DOTALL):
                is_doomed.set()
            sink.write(data)
            await sink.drain()

    async def _answer(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, is_doomed: asyncio.Event) -> None:
        while data := await source.read(65_536):
            if is_doomed.is_set() and re.search(_COMPLETE, data, re.DOTALL):
                return
            sink.write(data)
            await sink.drain()


def _server_binaries() -> Path | None:
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve().parent] if on_path else candidates
    return next((folder for folder in found if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def _reachable_folder(factory: pytest.TempPathFactory, name: str) -> Path:
    """Return a path that another user may reach too: PostgreSQL refuses to run as root."""
    parent = factory.mktemp(name)
    if _unprivileged() is not None:
        for folder in (parent, *parent.parents):
            if folder.stat().st_uid == os.getuid() and folder != Path("/"):
                folder.chmod(folder.stat().st_mode | 0o011)
    return parent / "own"


def _unprivileged() -> str | None:
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _give_away(path: Path) -> None:
    user = _unprivileged()
    if user is None:
        return
    for each in (path, *path.rglob("*")):
        shutil.chown(each, user)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.05)
    pytest.fail(f"nothing answers at port {port}")


def _skip(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
