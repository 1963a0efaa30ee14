"""The SQLite queue among processes that die, share and run out of space."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import pytest

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.ports.job import JobStatus
from tests.integration.sqlite_process import job

Result = TypeVar("Result")
SCRIPT = Path(__file__).with_name("sqlite_process.py")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/jobs.db"


@contextmanager
def process(role: str, url: str) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen([sys.executable, str(SCRIPT), role, url], stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def with_queue(url: str, use: Callable[[DatabaseJobQueueAdapter], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        queue = DatabaseJobQueueAdapter(url)
        await queue.initialize()
        try:
            return await use(queue)
        finally:
            await queue.close()

    return asyncio.run(run())


def kill(child: subprocess.Popen[str]) -> str:
    child.send_signal(signal.SIGKILL)
    return child.communicate()[0]


def lines_until(child: subprocess.Popen[str], last: str) -> list[str]:
    assert child.stdout is not None
    lines: list[str] = []
    for line in child.stdout:
        if line.strip() == last:
            return lines
        lines.append(line.strip())
    pytest.fail(f"the process ended before it said {last!r}")


@pytest.mark.parametrize("seed", range(8))
def test_a_job_that_enqueue_returned_survives_kill_9(url: str, seed: int) -> None:
    chance = random.Random(seed)
    with process("produce", url) as producer:
        assert producer.stdout is not None
        first = producer.stdout.readline().strip()
        time.sleep(chance.uniform(0.0, 0.15))
        told = [first, *kill(producer).splitlines()]

    async def missing(queue: DatabaseJobQueueAdapter) -> list[str]:
        # the last line may be cut short: what was said in full is what counts
        whole = [line for line in told if len(line) == 36]
        assert len(whole) >= len(told) - 1
        return [line for line in whole if await queue.get_job(UUID(line)) is None]

    assert with_queue(url, missing) == []


def test_a_killed_workers_jobs_are_back_at_the_next_start(url: str) -> None:
    stored = with_queue(url, lambda queue: queue.enqueue_many([job(n=number) for number in range(3)]))
    with process("hold", url) as worker:
        assert lines_until(worker, "holding") == [str(each.id) for each in stored]
        kill(worker)

    async def again(queue: DatabaseJobQueueAdapter) -> list[tuple[UUID, int, int]]:
        jobs = await queue.dequeue_many("default", 10, timeout=0)
        return [(each.id, each.crash_count, each.retry_count) for each in jobs]

    # well within the lease of a minute
    assert with_queue(url, again) == [(each.id, 1, 0) for each in stored]


def test_an_open_queue_gets_the_jobs_of_a_worker_that_is_killed_meanwhile(url: str) -> None:
    async def use(queue: DatabaseJobQueueAdapter) -> tuple[int, int]:
        await queue.enqueue(job(n=1))
        with process("hold", url) as worker:
            await asyncio.to_thread(lines_until, worker, "holding")
            while_it_lives = await queue.requeue_expired()
            await asyncio.to_thread(kill, worker)
        return while_it_lives, await queue.requeue_expired()

    assert with_queue(url, use) == (0, 1)


def test_a_dead_session_leaves_no_file_behind(url: str, tmp_path: Path) -> None:
    with_queue(url, lambda queue: queue.enqueue(job(n=1)))
    with process("hold", url) as worker:
        lines_until(worker, "holding")
        assert len(list(tmp_path.glob("jobs.db.d/*.session"))) == 1
        kill(worker)
    with_queue(url, lambda queue: queue.get_queue_stats("default"))
    assert [path.name for path in tmp_path.glob("jobs.db.d/*")] == ["commit.lock"]


def test_two_processes_on_one_file_never_share_a_job(url: str) -> None:
    stored = with_queue(url, lambda queue: queue.enqueue_many([job(n=number) for number in range(600)]))
    with process("drain", url) as one, process("drain", url) as other:
        said = [child.communicate(timeout=60)[0].splitlines() for child in (one, other)]
    assert sorted(said[0] + said[1]) == sorted(f"{each.id} True" for each in stored)
    stats = with_queue(url, lambda queue: queue.get_queue_stats("default"))
    assert (stats.completed_count, stats.pending_count, stats.running_count) == (600, 0, 0)


def test_a_full_disk_fails_the_enqueue_and_not_the_process(url: str) -> None:
    with process("fill", url) as child:
        lines = child.communicate(timeout=60)[0].splitlines()
    assert lines[1:] == ["consistent", "works again"]
    assert "jobs.db" in lines[0]
    assert "space" in lines[0] or "disk is full" in lines[0]


def test_a_queue_serves_one_event_loop_after_another(url: str) -> None:
    queue = DatabaseJobQueueAdapter(url)

    async def use() -> int:
        # together, so that they meet at the opening of the store
        await asyncio.gather(*(queue.enqueue(job(n=number)) for number in range(5)))
        stats = await queue.get_queue_stats("default")
        await queue.close()
        return stats.pending_count

    assert [asyncio.run(use()), asyncio.run(use())] == [5, 10]


def test_a_producer_killed_amid_others_spoils_nothing_for_them(url: str) -> None:
    with process("produce", url) as victim, process("produce", url) as survivor:
        for child in (victim, survivor):
            assert child.stdout is not None
            child.stdout.readline()
        kill(victim)
        assert survivor.stdout is not None
        for _ in range(200):
            assert survivor.stdout.readline()

    async def check(queue: DatabaseJobQueueAdapter) -> JobStatus | None:
        found = await queue.dequeue("default", timeout=0)
        return None if found is None else found.status

    assert with_queue(url, check) is JobStatus.RUNNING
