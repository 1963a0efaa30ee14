"""Nothing is lost and nothing is done twice at once, whoever dies or stops, and whenever."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from portico.ports.job import Job, JobStatus
from portico.ports.job_queue import JobQueueAdapter
from tests.soak.addresses import Address
from tests.soak.process import new_job

SCRIPT = Path(__file__).with_name("process.py")
LEASE_SECONDS = 2.0
FINAL = {status for status in JobStatus if status.is_final}


OPTIONS = {"lease_seconds": LEASE_SECONDS, "max_crashes": 100}
STORES = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.server("postgresql")),
    pytest.param("redis", marks=pytest.mark.server("redis")),
]


@pytest.fixture
def sqlite(tmp_path: Path) -> Address:
    return Address(f"sqlite:///{tmp_path}/jobs.db", OPTIONS)


@pytest.fixture
def postgresql(postgres_url: str, postgres_schema: str) -> Address:
    return Address(postgres_url, {**OPTIONS, "schema": postgres_schema})


@pytest.fixture
def redis(redis_url: str, redis_prefix: str) -> Address:
    return Address(redis_url, {**OPTIONS, "prefix": redis_prefix})


@pytest.fixture(params=STORES)
def address(request: pytest.FixtureRequest) -> Any:
    """Return where the queue is."""
    return request.getfixturevalue(request.param)


@dataclass
class Crew:
    """Processes on one queue, of which one may be killed at any time; another takes its place."""

    address: Address
    folder: Path
    running: list[tuple[str, subprocess.Popen[bytes], Path]] = field(default_factory=list)
    deaths: dict[Path, float] = field(default_factory=dict)

    def start(self, role: str) -> Path:
        journal = self.folder / f"{len(self.running) + len(self.deaths)}-{time.monotonic_ns()}-{role}.journal"
        command = [sys.executable, str(SCRIPT), role, self.address.told(), str(journal)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE)
        self.running.append((role, process, journal))
        return journal

    def kill(self, index: int) -> str:
        role, process, journal = self.running.pop(index)
        # before the signal: who sees it dead may go on before it is buried
        self.deaths[journal] = time.monotonic()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return role

    def kill_all(self) -> None:
        while self.running:
            self.kill(0)

    def lines(self) -> Iterator[tuple[Path, list[str]]]:
        for journal in sorted(self.folder.glob("*.journal")):
            for line in journal.read_text().splitlines(keepends=True):
                # a kill may cut the last one short
                if line.endswith("\n"):
                    yield journal, line.split()


@pytest.fixture
def crew(address: Address, tmp_path: Path) -> Iterator[Crew]:
    crew = Crew(address, tmp_path)
    yield crew
    crew.kill_all()


def wait_for(journal: Path) -> None:
    deadline = time.monotonic() + 30
    while not (journal.exists() and journal.stat().st_size):
        assert time.monotonic() < deadline, "the process says nothing"
        time.sleep(0.01)


async def drain(address: Address) -> list[Job]:
    """Work off what is left, and return all jobs."""
    queue = address.open()
    await queue.initialize()
    deadline = time.monotonic() + LEASE_SECONDS + 60
    while True:
        await queue.requeue_expired()
        for job in await queue.dequeue_many("soak", 100, timeout=0.05):
            await queue.acknowledge(job.id)
        stats = await queue.get_queue_stats("soak")
        if not stats.pending_count + stats.running_count:
            break
        assert time.monotonic() < deadline, f"not drained: {stats}"
    jobs = await every_job(queue)
    await queue.close()
    return jobs


async def every_job(queue: JobQueueAdapter) -> list[Job]:
    jobs: list[Job] = []
    while page := await queue.list_jobs(limit=1_000, after=jobs[-1].id if jobs else None):
        jobs += page
    return jobs


def runs_that_overlap(crew: Crew) -> list[str]:
    """Return the jobs that a worker began while another, alive and within its lease, was at them."""
    runs: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    began: dict[tuple[Path, str], float] = {}
    for journal, (event, job_id, *_, at) in crew.lines():
        if event == "began":
            began[journal, job_id] = float(at)
        elif event == "ends":
            runs[job_id].append((began.pop((journal, job_id)), float(at)))
    for (journal, job_id), begin in began.items():
        runs[job_id].append((begin, crew.deaths[journal]))
    return [
        job_id
        for job_id, intervals in runs.items()
        for (first, last), (following, _) in pairwise(sorted(intervals))
        if following < min(last, first + LEASE_SECONDS)
    ]


@pytest.mark.parametrize("kills", [10, pytest.param(200, marks=pytest.mark.soak)])
def test_kill_9_at_any_moment_loses_nothing_and_doubles_nothing(address: Address, crew: Crew, kills: int) -> None:
    chance = random.Random(kills)
    for role in ("produce", "produce", "work", "work"):
        wait_for(crew.start(role))
    for _ in range(kills):
        time.sleep(chance.uniform(0, 0.1))
        wait_for(crew.start(crew.kill(chance.randrange(len(crew.running)))))
    crew.kill_all()
    jobs = {str(job.id): job for job in asyncio.run(drain(address))}

    told = {job_id for _, (event, job_id, *_) in crew.lines() if event == "enqueued"}
    assert len(told) > 2 * kills
    assert [job_id for job_id in told if job_id not in jobs or jobs[job_id].status not in FINAL] == []
    completions = Counter(job_id for _, (event, job_id, *_) in crew.lines() if event == "completed")
    assert completions
    assert [job_id for job_id, count in completions.items() if count > 1] == []
    assert runs_that_overlap(crew) == []
    keys = Counter(job.metadata["idempotency_key"] for job in jobs.values() if "idempotency_key" in job.metadata)
    assert set(keys.values()) == {1}


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.soak)])
def test_a_worker_that_was_stopped_beyond_its_lease_can_change_nothing(
    address: Address, crew: Crew, rounds: int
) -> None:
    for _ in range(rounds):
        job = asyncio.run(outlive(address, crew))
        assert (job.status, job.result) == (JobStatus.COMPLETED, {"by": "successor"})


async def outlive(address: Address, crew: Crew) -> Job:
    queue = address.open()
    job_id = (await queue.enqueue(new_job())).id
    journal = crew.start("hold")
    await asyncio.to_thread(wait_for, journal)
    _, holder, _ = crew.running[-1]
    holder.send_signal(signal.SIGSTOP)
    before = await queue.get_job(job_id)
    taken = await take_over(queue, job_id)
    assert before is not None
    assert taken.crash_count == before.crash_count + 1
    holder.send_signal(signal.SIGCONT)
    await asyncio.to_thread(holder.communicate, b"answer\n")
    crew.running.pop()
    assert journal.read_text().splitlines()[-1].split()[:-1] == ["answers", "False", "False", "False"]
    assert await queue.get_job(job_id) == taken
    assert await queue.acknowledge(job_id, {"by": "successor"})
    found = await queue.get_job(job_id)
    await queue.close()
    assert found is not None
    return found


async def take_over(queue: JobQueueAdapter, job_id: UUID) -> Any:
    deadline = time.monotonic() + LEASE_SECONDS + 30
    while (taken := await queue.dequeue("soak", timeout=0.2)) is None:
        assert time.monotonic() < deadline, "the lease does not end"
        await queue.requeue_expired()
    assert taken.id == job_id
    return taken
