"""Processes that work on one queue and may die at any moment, and what is left of it after them."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from portico.ports.job import Job
from portico.ports.job_queue import JobQueueAdapter
from tests.soak.addresses import Address

SCRIPT = Path(__file__).with_name("process.py")
LEASE_SECONDS = 2.0


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


def wait_for(journal: Path) -> None:
    deadline = time.monotonic() + 30
    while not (journal.exists() and journal.stat().st_size):
        assert time.monotonic() < deadline, "the process says nothing"
        time.sleep(0.01)


async def drain(address: Address, queue_name: str = "soak") -> list[Job]:
    """Work off what is left, and return all jobs."""
    queue = address.open()
    await queue.initialize()
    deadline = time.monotonic() + LEASE_SECONDS + 60
    while True:
        await queue.requeue_expired()
        for job in await queue.dequeue_many(queue_name, 100, timeout=0.05):
            await queue.acknowledge(job.id)
        stats = await queue.get_queue_stats(queue_name)
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
