"""Tests that need a server: skipped where it does not answer, failed where CI is set, summed up in one line.

A test says what it needs with ``@pytest.mark.server("rabbitmq")`` or by asking for its address, a fixture.
"""

import os
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that tests talk to, and what to tell someone who does not have it running."""

    name: str
    variable: str
    default_url: str
    default_port: int
    start_with: str

    @property
    def url(self) -> str:
        return os.environ.get(self.variable) or self.default_url

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "127.0.0.1", parts.port or self.default_port

    def answers(self) -> bool:
        try:
            socket.create_connection(self.address, timeout=2).close()
        except OSError:
            return False
        return True

    def how_to_start(self) -> str:
        # the address and not the URL: that one may hold a password
        host, port = self.address
        return f"nothing answers at {host}:{port}; start it with '{self.start_with}' or set {self.variable}"


SERVERS = {
    server.name: server
    for server in (
        Server(
            name="rabbitmq",
            variable="PORTICO_TEST_RABBITMQ_URL",
            default_url="amqp://guest:guest@127.0.0.1:5672/",
            default_port=5672,
            start_with="rabbitmq-server -detached",
        ),
        Server(
            name="postgresql",
            variable="PORTICO_TEST_POSTGRES_URL",
            default_url="postgresql://postgres@127.0.0.1:5432/test",
            default_port=5432,
            start_with="pg_ctlcluster 15 main start",
        ),
        Server(
            name="redis",
            variable="PORTICO_TEST_REDIS_URL",
            default_url="redis://127.0.0.1:6379/0",
            default_port=6379,
            start_with="redis-server --daemonize yes",
        ),
    )
}
FIXTURES = {"rabbitmq_url": "rabbitmq", "postgres_url": "postgresql", "redis_url": "redis"}

_reachable = pytest.StashKey[dict[str, bool]]()
_without_server = pytest.StashKey[Counter[str]]()


@pytest.fixture(scope="session")
def rabbitmq_url() -> str:
    return SERVERS["rabbitmq"].url


@pytest.fixture(scope="session")
def postgres_url() -> str:
    return SERVERS["postgresql"].url


@pytest.fixture(scope="session")
def redis_url() -> str:
    return SERVERS["redis"].url


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "server(name): needs a server; skipped where it does not answer, failed where CI is set"
    )
    config.stash[_reachable] = {}
    config.stash[_without_server] = Counter()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for server in _needed_by(item):
        if _answers(server, item.config):
            continue
        item.config.stash[_without_server][server.name] += 1
        reason = f"{server.name}: {server.how_to_start()}"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    outcome = "failed" if os.environ.get("CI") else "skipped"
    for name, count in config.stash[_without_server].items():
        tests = "1 test" if count == 1 else f"{count} tests"
        terminalreporter.write_line(f"{name}: {tests} {outcome}, {SERVERS[name].how_to_start()}", yellow=True)


def _needed_by(item: pytest.Item) -> Iterator[Server]:
    marked = {name for marker in item.iter_markers("server") for name in marker.args}
    asked_for = {server for fixture, server in FIXTURES.items() if fixture in getattr(item, "fixturenames", ())}
    for name in sorted(marked | asked_for):
        if name not in SERVERS:
            known = ", ".join(sorted(SERVERS))
            pytest.fail(f"unknown server {name!r} in a server marker; known: {known}", pytrace=False)
        yield SERVERS[name]


def _answers(server: Server, config: pytest.Config) -> bool:
    # asked once a run: a server that is down costs one time-out, not one per test
    reachable = config.stash[_reachable]
    if server.name not in reachable:
        reachable[server.name] = server.answers()
    return reachable[server.name]
