"""Redis servers of the tests' own, that can be killed: each on a free port and in a folder of its own."""

import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

_START_SECONDS = 10.0


class OwnRedis:
    """A server with its log of writes on unless `options` say otherwise; `password` is asked for where it is given."""

    def __init__(self, folder: Path, *options: str, password: str = "") -> None:
        self.port = free_port()
        self._folder = folder
        self._password = password
        self._options = ("--appendonly", "yes", "--appendfsync", "everysec", *options)
        if password:
            self._options += ("--requirepass", password)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        login = f":{self._password}@" if self._password else ""
        return f"redis://{login}127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Return when it answers and has loaded its data."""
        command = [_binary(), "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder), "--save", ""]
        log = (self._folder / "redis.log").open("ab")
        with log:
            self._process = subprocess.Popen([*command, *self._options], stdout=log, stderr=log)
        until = time.monotonic() + _START_SECONDS
        while b"+PONG" not in self._ping():
            assert time.monotonic() < until, (self._folder / "redis.log").read_text()
            time.sleep(0.01)

    def kill(self) -> None:
        """End it as kill -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _ping(self) -> bytes:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                login = f"AUTH {self._password}\r\n" if self._password else ""
                connection.sendall(f"{login}PING\r\n".encode())
                time.sleep(0.01)
                return connection.recv(1000)
        except OSError:
            return b""


def _binary() -> str:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    pytest.skip("redis: no redis-server to start; install it with 'apt-get install redis-server'")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
