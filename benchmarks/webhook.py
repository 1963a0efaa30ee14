"""What a webhook takes per second beside a bare FastAPI endpoint, in one run: one server process each, 32 connections.

Run: python benchmarks/webhook.py [--seconds S] [--rounds N] [--postgres URL]

Servers are uvicorn with uvloop and httptools, one process, no access log. `bare` is a FastAPI endpoint with a pydantic
body that does nothing; the others answer when their job is durable: on SQLite after the commit (it survives kill -9),
on PostgreSQL after the commit is on its disk. `frozen` is after ``gc.freeze()`` at start-up, as `portico run` does it.
The time of the server's processor per request is the steadiest figure on a machine that does other things too; on
PostgreSQL the tables are a schema of their own, which is dropped at the end.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import asyncpg
import psutil
from typing_extensions import override

CONNECTIONS = 32
SECRET = "a-secret-of-the-benchmark"  # noqa: S105 - of a server that lives for seconds
SCHEMA = f"portico_benchmark_{uuid.uuid4().hex[:8]}"
ORDER = {"id": "0b6a4ec0-6ad3-4f43-9b3c-0d5b8a3b7a11", "customer": "c-1234567", "amount": 1999, "currency": "EUR"}
JOB = json.dumps({"job_type": "order.process", "payload": ORDER}).encode()

SERVER = """
import gc, os, sys
from typing import Any
from fastapi import FastAPI
from pydantic import BaseModel

class Job(BaseModel):
    job_type: str
    payload: dict[str, Any]
    queue_name: str = "default"
    priority: int = 0

class Created(BaseModel):
    job_id: str

if sys.argv[1] == "bare":
    app = FastAPI()

    @app.post("/webhooks/jobs", status_code=202)
    async def create(job: Job) -> Created:
        return Created(job_id="0b6a4ec0-6ad3-4f43-9b3c-0d5b8a3b7a11")
else:
    from portico import compose
    from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookSource, WebhookTrigger
    from portico.utils.logging import configure_logging

    configure_logging("error")
    options = {"schema": sys.argv[5]} if sys.argv[3].startswith("postgresql") else {}
    jobs = compose.jobs(sys.argv[3], workers=False, queue_options=options)
    source = WebhookSource(name="code", provider="github", secrets=[sys.argv[4]], job_type="build.start")
    config = WebhookConfig(allowed_job_types=["order.process", "build.start"], sources=[source])
    jobs.add(WebhookTrigger(jobs.creator, config))
    app = FastAPI(lifespan=jobs.lifespan)
    if sys.argv[1] == "frozen":
        gc.collect()
        gc.freeze()

import socket
import uvicorn
config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="error")
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[2]))])
"""


@dataclass(frozen=True)
class Case:
    """A server and what is sent to it."""

    name: str
    server: str
    url: str
    path: str = "/webhooks/jobs"

    def request(self, number: int) -> bytes:
        """Return the bytes of a request; signed deliveries differ, so that each is a job."""
        if self.path.endswith("/jobs"):
            return _request(self.path, JOB, {})
        body = json.dumps({"ref": "refs/heads/main", "after": f"{number:040x}"}).encode()
        headers = {
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": f"{number:032x}",
            "X-Hub-Signature-256": "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest(),
        }
        return _request(self.path, body, headers)


@dataclass(frozen=True)
class Measured:
    """What one run gave."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float = 0.0
    """Of the server, for each request."""


class Client(asyncio.Protocol):
    """Sends its next request when the answer to the last one is there."""

    def __init__(self, requests: Iterator[bytes], until: float, taken: list[float]) -> None:
        self._requests = requests
        self._until = until
        self._taken = taken
        self._received = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if not end or len(body) < length:
            return
        if not head.startswith(b"HTTP/1.1 20"):
            self.done.set_exception(RuntimeError(self._received.decode()))
            return
        self._received = body[length:]
        now = time.perf_counter()
        self._taken.append(now - self._sent_at)
        if now < self._until:
            self._send()
        elif not self.done.done():
            self._transport.close()
            self.done.set_result(None)

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(next(self._requests))  # type: ignore[attr-defined] # - of a TCP connection


def _request(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    fields = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def _requests(case: Case) -> Iterator[bytes]:
    start = time.time_ns()
    if case.path.endswith("/jobs"):
        while True:
            yield case.request(0)
    number = start
    while True:
        number += 1
        yield case.request(number)


async def _load(port: int, case: Case, seconds: float) -> Measured:
    loop = asyncio.get_running_loop()
    taken: list[float] = []
    requests = _requests(case)
    started = time.perf_counter()
    clients = [
        (await loop.create_connection(lambda: Client(requests, started + seconds, taken), "127.0.0.1", port))[1]
        for _ in range(CONNECTIONS)
    ]
    await asyncio.gather(*(client.done for client in clients))
    elapsed = time.perf_counter() - started
    taken.sort()
    return Measured(len(taken) / elapsed, 1_000 * statistics.median(taken), 1_000 * taken[int(len(taken) * 0.99)])


@contextmanager
def _serving(case: Case) -> Iterator[tuple[int, psutil.Process]]:
    """Give the port, and the process that serves it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        descriptor = listener.fileno()
        command = [sys.executable, "-c", SERVER, case.server, str(descriptor), case.url, SECRET, SCHEMA]
        server = subprocess.Popen(command, pass_fds=[descriptor])
        try:
            yield listener.getsockname()[1], psutil.Process(server.pid)
        finally:
            server.terminate()
            server.wait()


def measured(case: Case, seconds: float) -> Measured:
    """Start the server of a case, warm it, and measure."""
    with _serving(case) as (port, server):
        asyncio.run(_load(port, case, 1.0))
        before = _cpu_seconds(server)
        load = asyncio.run(_load(port, case, seconds))
        used = _cpu_seconds(server) - before
    return replace(load, cpu_us=1_000_000 * used / (load.per_second * seconds))


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _cases(folder: Path, postgres: str | None) -> list[Case]:
    sqlite = f"sqlite:///{folder}/jobs.db"
    cases = [
        Case("bare FastAPI", "bare", "-"),
        Case("POST /jobs, SQLite", "plain", sqlite),
        Case("POST /jobs, SQLite, frozen", "frozen", sqlite),
        Case("signed GitHub, SQLite, frozen", "frozen", sqlite, "/webhooks/sources/code"),
        Case("POST /jobs, memory, frozen", "frozen", "memory://"),
    ]
    if postgres is not None:
        cases += [
            Case("POST /jobs, PostgreSQL, frozen", "frozen", postgres),
            Case("signed GitHub, PostgreSQL, frozen", "frozen", postgres, "/webhooks/sources/code"),
        ]
    return cases


async def _drop_tables(postgres: str) -> None:
    connection = await asyncpg.connect(postgres)  # type: ignore[no-untyped-call] # - asyncpg has no types
    await connection.execute(f'DROP SCHEMA IF EXISTS "{SCHEMA}" CASCADE')
    await connection.close()


def _median(results: Sequence[Measured]) -> Measured:
    return Measured(*(statistics.median(values) for values in zip(*map(astuple, results), strict=True)))


def main() -> None:
    """Print one line per case: the median of the rounds, and its ratio to the bare endpoint's."""
    parser = argparse.ArgumentParser(description="Measure what a webhook takes per second.")
    parser.add_argument("--seconds", type=float, default=5, help="of load per case and round (default: 5)")
    parser.add_argument("--rounds", type=int, default=3, help="of all cases (default: 3)")
    parser.add_argument("--postgres", metavar="URL", help="measure on this PostgreSQL server too")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        cases = _cases(Path(folder), arguments.postgres)
        # one of each in turn, so that a slow moment of the machine falls on all of them
        rounds = [[measured(case, arguments.seconds) for case in cases] for _ in range(arguments.rounds)]
    print(f"{CONNECTIONS} connections, one server process, {arguments.rounds} rounds of {arguments.seconds} s")
    print(f"{'':34}{'req/s':>8}{'ratio':>7}{'p50 ms':>8}{'ratio':>7}{'p99 ms':>8}{'ratio':>7}{'CPU us':>8}{'ratio':>7}")
    medians = [_median(results) for results in zip(*rounds, strict=True)]
    for case, result in zip(cases, medians, strict=True):
        pairs = zip(astuple(result), astuple(medians[0]), (0, 1, 1, 0), strict=True)
        print(f"{case.name:34}" + "".join(f"{value:8.{digits}f}{value / bare:7.2f}" for value, bare, digits in pairs))
    if arguments.postgres is not None:
        asyncio.run(_drop_tables(arguments.postgres))


if __name__ == "__main__":
    main()
