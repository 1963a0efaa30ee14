"""A real worker process that dies in the middle of a job."""

import asyncio
import fcntl
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.kits.job import JobService
from portico.ports.job import Job, JobStatus

PROGRAM = textwrap.dedent(
    """
    import asyncio, signal, sys, time
    from pathlib import Path
    from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
    from portico.kits.job import Context, WorkerManager, job

    url, journal = sys.argv[1], Path(sys.argv[2])

    def note(what: str) -> None:
        with journal.open("a") as file:
            file.write(f"{what}\\n")

    @job("slow")
    async def slow(ctx: Context) -> None:
        note(f"slow {ctx.attempt}")
        await asyncio.sleep(60 if ctx.attempt == 1 else 0)

    @job("thread")
    def thread(ctx: Context) -> None:
        note(f"thread {ctx.attempt}")
        time.sleep(60 if ctx.attempt == 1 else 0)

    async def main() -> None:
        queue = DatabaseJobQueueAdapter(url, lease_seconds=1)
        worker = WorkerManager(queue, [slow, thread], concurrency=2, grace_seconds=0.2)
        done = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, done.set)
        await worker.start()
        await done.wait()
        await worker.stop()
        await queue.close()

    asyncio.run(main())
    """
)


class Workers:
    """Worker processes on one file."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'jobs.db'}"
        self._journal = folder / "journal"
        self._journal.touch()
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, self.url, str(self._journal)])
        self._processes.append(process)
        return process

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    async def freeze(self, process: subprocess.Popen[bytes]) -> None:
        """Stop a process between two commits; within one it would hold up every other writer, as in SQLite itself."""
        with Path(f"{self.url.removeprefix('sqlite:///')}.d", "commit.lock").open() as lock:
            while True:
                process.send_signal(signal.SIGSTOP)
                await asyncio.sleep(0.01)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    process.send_signal(signal.SIGCONT)
                else:
                    return

    async def noted(self, line: str) -> None:
        await _until(lambda: line in self.lines())

    def lines(self) -> list[str]:
        return self._journal.read_text().splitlines()


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    made = Workers(tmp_path)
    yield made
    made.end()


async def _until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        await asyncio.sleep(0.02)


async def _ended(service: JobService, job: Job, seconds: float = 20) -> Job:
    deadline = time.monotonic() + seconds
    while True:
        found = await service.get_job(job.id)
        assert found is not None
        if found.status.is_final:
            return found
        assert time.monotonic() < deadline, f"it is still {found.status.value}"
        await asyncio.sleep(0.05)


@pytest.mark.asyncio
@pytest.mark.parametrize("job_type", ["slow", "thread"])
async def test_a_job_whose_worker_was_killed_is_finished_by_the_next(workers: Workers, job_type: str) -> None:
    queue = DatabaseJobQueueAdapter(workers.url)
    service = JobService(queue)
    created = await service.create_job(job_type, {})
    first = workers.start()
    await workers.noted(f"{job_type} 1")

    first.send_signal(signal.SIGKILL)
    first.wait()
    workers.start()
    done = await _ended(service, created)

    assert (done.status, done.retry_count, done.crash_count) == (JobStatus.COMPLETED, 0, 1)
    assert workers.lines() == [f"{job_type} 1", f"{job_type} 2"]
    await queue.close()


@pytest.mark.asyncio
async def test_a_worker_asked_to_end_gives_its_job_back_at_once(workers: Workers) -> None:
    queue = DatabaseJobQueueAdapter(workers.url)
    service = JobService(queue)
    created = await service.create_job("slow", {})
    worker = workers.start()
    await workers.noted("slow 1")

    worker.send_signal(signal.SIGTERM)

    assert await asyncio.to_thread(worker.wait, 10) == 0
    found = await service.get_job(created.id)
    assert found is not None
    assert (found.status, found.retry_count, found.crash_count) == (JobStatus.PENDING, 0, 0)
    await queue.close()


@pytest.mark.asyncio
async def test_a_thread_that_never_ends_does_not_keep_the_process(workers: Workers) -> None:
    queue = DatabaseJobQueueAdapter(workers.url)
    await JobService(queue).create_job("thread", {})
    worker = workers.start()
    await workers.noted("thread 1")

    worker.send_signal(signal.SIGTERM)

    assert await asyncio.to_thread(worker.wait, 10) == 0
    await queue.close()


@pytest.mark.asyncio
async def test_a_worker_that_slept_through_its_lease_changes_nothing_when_it_wakes(workers: Workers) -> None:
    queue = DatabaseJobQueueAdapter(workers.url)
    service = JobService(queue)
    created = await service.create_job("slow", {})
    sleeper = workers.start()
    await workers.noted("slow 1")

    await workers.freeze(sleeper)
    workers.start()
    done = await _ended(service, created)
    sleeper.send_signal(signal.SIGCONT)
    sleeper.send_signal(signal.SIGTERM)

    assert await asyncio.to_thread(sleeper.wait, 10) == 0
    assert (done.status, done.crash_count) == (JobStatus.COMPLETED, 1)
    assert await service.get_job(created.id) == done
    assert workers.lines() == ["slow 1", "slow 2"]
    await queue.close()
