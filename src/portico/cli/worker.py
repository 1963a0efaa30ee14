"""``portico worker``."""

import asyncio
import os
import sys
from dataclasses import dataclass

from portico.cli.exits import CommandError, ExitCode
from portico.cli.loading import load_application
from portico.cli.process_supervisor import ProcessSupervisor, when_supervisor_dies
from portico.cli.run import configure_log
from portico.cli.server import explained
from portico.cli.stop_signals import StopSignals
from portico.compose import Jobs
from portico.ports.job_queue import QueueCapability


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """The arguments of ``portico worker``; None leaves it to the application."""

    target: str
    queues: str | None
    concurrency: int | None
    processes: int | None
    log_level: str
    log_format: str

    def __post_init__(self) -> None:
        for name in ("concurrency", "processes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise CommandError(f"--{name} must be at least 1, not {value}", ExitCode.USAGE)
        if self.queue_names is not None and not all(self.queue_names):
            raise CommandError("--queues takes names separated by commas", ExitCode.USAGE)

    @property
    def queue_names(self) -> list[str] | None:
        """What to serve."""
        return None if self.queues is None else [name.strip() for name in self.queues.split(",")]

    @property
    def command(self) -> list[str]:
        """How a supervisor starts one of its processes."""
        given = {"queues": self.queues, "concurrency": self.concurrency}
        options = [f"--{name}={value}" for name, value in given.items() if value is not None]
        log = [f"--log-level={self.log_level}", f"--log-format={self.log_format}"]
        return [sys.executable, "-m", "portico.cli", "worker", self.target, "--processes=1", *options, *log]


def work(options: WorkerOptions) -> None:
    """Load, run, drain; or supervise processes that do.

    Raises:
        CommandError: something about the arguments or the application is wrong.

    """
    configure_log(options.log_level, options.log_format)
    # a supervisor that is told how many has no need of the application, nor of the memory it takes
    count = options.processes if options.processes and options.processes > 1 else None
    if count is None:
        jobs = _load(options.target)
        count = options.processes or jobs.processes
        if count == 1:
            jobs.only_work(queues=options.queue_names, concurrency=options.concurrency)
            asyncio.run(_work(jobs))
            return
    exit_code = asyncio.run(ProcessSupervisor(options.command, count).run())
    if exit_code:
        sys.exit(exit_code)


def _load(target: str) -> Jobs:
    jobs = load_application(target).jobs
    if jobs is None:
        raise CommandError(f"{target} has no compose.jobs(...): there is nothing to work on", ExitCode.NO_APPLICATION)
    if QueueCapability.SHARED not in jobs.queue.capabilities:
        raise CommandError(
            f"{jobs.url} keeps jobs in one process, where no other finds them: use portico run {target}",
            ExitCode.CONFIGURATION,
        )
    return jobs


async def _work(jobs: Jobs) -> None:
    with StopSignals() as stop, when_supervisor_dies(stop.begin, os.environ):
        try:
            await jobs.start()
        except Exception as error:
            raise explained(error, "start") from error
        try:
            await stop.wait()
        finally:
            await jobs.stop()
