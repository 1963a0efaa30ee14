"""``portico worker``, from outside."""

import asyncio
import json
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.cli.stop_signals import SAME_REQUEST_SECONDS
from portico.kits.job import JobService
from portico.ports.job import Job, JobStatus

pytestmark = pytest.mark.e2e

APPLICATION = textwrap.dedent(
    """
    import asyncio, os, time
    from pathlib import Path
    from portico import Context, compose, job

    def note(what):
        with open("journal", "a") as journal:
            journal.write(f"{what} {os.getpid()}\\n")

    @job("slow")
    async def slow(ctx: Context):
        note("slow")
        await asyncio.sleep(60 if ctx.attempt == 1 else 0)

    @job("blocks")
    async def blocks():
        note("blocks")
        time.sleep(60)

    @job("quick")
    async def quick():
        note("quick")

    jobs = compose.jobs("sqlite:///jobs.db", handlers=[slow, quick, blocks], workers=False,
                        queue_options={"lease_seconds": 2}, worker_options={"grace_seconds": 0.2})
    """
)


class Command:
    """The command in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "app.py").write_text(APPLICATION)
        self._processes: list[psutil.Process] = []

    def start(self, *options: str, target: str = "app.py") -> psutil.Popen:
        command = [sys.executable, "-m", "portico.cli", "worker", target, "--log-format", "json", *options]
        with (self.folder / "log").open("ab") as log:
            process = psutil.Popen(command, cwd=self.folder, stderr=log, stdin=subprocess.DEVNULL)
        self._processes.append(process)
        return process

    def log(self, event: str) -> list[dict[str, Any]]:
        path = self.folder / "log"
        lines = [line for line in path.read_text().splitlines() if line.startswith("{")] if path.exists() else []
        return [entry for entry in map(json.loads, lines) if entry["event"] == event]

    def journal(self, what: str) -> list[str]:
        path = self.folder / "journal"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split()[1] for line in lines if line.split()[0] == what]

    def end(self) -> None:
        for process in self._processes:
            for each in [*(process.children(recursive=True) if process.is_running() else []), process]:
                if each.is_running():
                    each.kill()
        for number in {entry["pid"] for entry in self.log("worker_process_started")}:
            if psutil.pid_exists(number):
                psutil.Process(number).kill()
        for process in self._processes:
            process.wait()


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    made = Command(tmp_path)
    yield made
    made.end()


async def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        await asyncio.sleep(0.02)


async def create(command: Command, job_type: str, queue_name: str = "default") -> Job:
    queue = DatabaseJobQueueAdapter(f"sqlite:///{command.folder / 'jobs.db'}")
    job = await JobService(queue).create_job(job_type, {}, queue_name)
    await queue.close()
    return job


async def found(command: Command, job: Job) -> Job:
    queue = DatabaseJobQueueAdapter(f"sqlite:///{command.folder / 'jobs.db'}")
    stored = await queue.get_job(job.id)
    await queue.close()
    assert stored is not None
    return stored


@pytest.mark.asyncio
async def test_it_works_the_queues_it_is_given_and_ends_well(command: Command) -> None:
    quick, other = await create(command, "quick", "mail"), await create(command, "quick")
    worker = command.start("--queues", "mail,bulk", "--concurrency", "2")
    await until(lambda: command.log("job_completed"))

    worker.send_signal(signal.SIGTERM)

    assert await asyncio.to_thread(worker.wait, 20) == 0
    assert (await found(command, quick)).status is JobStatus.COMPLETED
    assert (await found(command, other)).status is JobStatus.PENDING
    assert command.log("worker_started")[0]["queues"] == ["mail", "bulk"]


@pytest.mark.asyncio
async def test_a_process_that_is_killed_is_replaced_and_its_job_runs_again(command: Command) -> None:
    job = await create(command, "slow")
    supervisor = command.start("--processes", "2")
    await until(lambda: command.journal("slow"))
    first = psutil.Process(int(command.journal("slow")[0]))

    first.kill()
    await until(lambda: len(command.journal("slow")) == 2)
    await until(lambda: command.log("job_completed"))
    await until(lambda: len(command.log("worker_started")) == 3)
    supervisor.send_signal(signal.SIGTERM)

    assert await asyncio.to_thread(supervisor.wait, 20) == 0
    stored = await found(command, job)
    assert (stored.status, stored.crash_count, stored.retry_count) == (JobStatus.COMPLETED, 1, 0)
    assert [entry["reason"] for entry in command.log("worker_process_died")] == ["SIGKILL"]
    assert len(command.log("worker_stopped")) == 2


@pytest.mark.asyncio
async def test_processes_end_when_their_supervisor_is_killed(command: Command) -> None:
    job = await create(command, "slow")
    supervisor = command.start("--processes", "2")
    await until(lambda: len(command.log("worker_started")) == 2 and command.journal("slow"))
    processes = supervisor.children()

    supervisor.kill()
    supervisor.wait()
    await until(lambda: not any(process.is_running() for process in processes))

    stored = await found(command, job)
    assert (stored.status, stored.crash_count) == (JobStatus.PENDING, 0)


@pytest.mark.asyncio
async def test_a_second_signal_forces_also_a_process_that_is_blocked(command: Command) -> None:
    await create(command, "blocks")
    supervisor = command.start("--processes", "2")
    await until(lambda: len(command.log("worker_started")) == 2 and command.journal("blocks"))
    processes = supervisor.children()

    supervisor.send_signal(signal.SIGTERM)
    await until(lambda: command.log("worker_stopped"))
    assert supervisor.is_running()
    await asyncio.sleep(SAME_REQUEST_SECONDS)
    supervisor.send_signal(signal.SIGINT)

    assert await asyncio.to_thread(supervisor.wait, 20) == 130
    await until(lambda: not any(process.is_running() for process in processes))


@pytest.mark.asyncio
async def test_a_second_signal_forces_also_where_a_handler_holds_up_the_loop(command: Command) -> None:
    await create(command, "blocks")
    worker = command.start()
    await until(lambda: command.journal("blocks"))

    worker.send_signal(signal.SIGTERM)
    await asyncio.sleep(SAME_REQUEST_SECONDS)
    worker.send_signal(signal.SIGINT)

    assert await asyncio.to_thread(worker.wait, 20) == 130
    assert command.log("forced_to_end")


@pytest.mark.asyncio
async def test_what_another_start_cannot_help_ends_the_supervisor(command: Command) -> None:
    supervisor = command.start("--processes", "3", target="missing.py")

    assert await asyncio.to_thread(supervisor.wait, 20) == 4
    assert command.log("worker_process_died") == []


@pytest.mark.asyncio
async def test_an_application_says_in_how_many_processes_it_is_worked(command: Command) -> None:
    application = APPLICATION.replace('"grace_seconds": 0.2', '"grace_seconds": 0.2, "processes": 2')
    (command.folder / "app.py").write_text(application)
    supervisor = command.start()
    await until(lambda: len(command.log("worker_started")) == 2)

    supervisor.send_signal(signal.SIGINT)

    assert await asyncio.to_thread(supervisor.wait, 20) == 0
    assert command.log("worker_processes_ignored") == []


@pytest.mark.parametrize(
    ("options", "application", "exit_code"),
    [
        (["--processes", "0"], APPLICATION, 2),
        (["--queues", "mail,,bulk"], APPLICATION, 2),
        (["--log-level", "loud"], APPLICATION, 2),
        ([], APPLICATION.replace("sqlite:///jobs.db", "memory://").replace('"lease_seconds": 2', ""), 3),
        ([], "app = 1", 4),
    ],
)
def test_what_cannot_work_is_refused(command: Command, options: list[str], application: str, exit_code: int) -> None:
    (command.folder / "app.py").write_text(application)

    assert command.start(*options).wait(20) == exit_code
    assert "error: " in (command.folder / "log").read_text()
