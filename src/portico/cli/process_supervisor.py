"""Processes that are started again when they die."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager, suppress

from portico.cli.exits import ExitCode
from portico.cli.stop_signals import StopSignals
from portico.runtime.backoff import Backoff
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_SUPERVISED = "PORTICO_SUPERVISED"
_RESTARTS = Backoff(base_seconds=0.5, cap_seconds=30.0, jitter=0.2)
_WELL_AFTER_SECONDS = 60.0
_HOPELESS = frozenset({ExitCode.USAGE, ExitCode.CONFIGURATION, ExitCode.NO_APPLICATION})


class ProcessSupervisor:
    """Keeps `count` processes of one command running until a signal; what another start cannot help ends all.

    The processes hear only the signals that are passed on to them, and they drain by themselves when the supervisor
    dies, which they see by the end of their standard input (`when_supervisor_dies`).
    """

    def __init__(self, command: Sequence[str], count: int, *, restarts: Backoff = _RESTARTS) -> None:
        self._command = list(command)
        self._count = count
        self._restarts = restarts
        self._processes: set[asyncio.subprocess.Process] = set()
        self._exit_code = int(ExitCode.OK)

    async def run(self) -> int:
        """Supervise, and return the exit code for this process."""
        with StopSignals(force=self._kill) as stop:
            async with asyncio.TaskGroup() as group:
                for number in range(1, self._count + 1):
                    group.create_task(self._keep(number, stop), name=f"process-{number}")
                await stop.wait()
                self._signal(signal.SIGTERM)
        return self._exit_code

    async def _keep(self, number: int, stop: StopSignals) -> None:
        failures = 0
        while not stop.has_begun():
            began = time.monotonic()
            try:
                exit_code = await self._run_one(number, stop)
            except OSError as error:
                # no memory, too many processes: that may pass
                logger.error("worker_process_not_started", process=number, error=str(error))  # noqa: TRY400 - the system's no needs no trace
                exit_code = ExitCode.FAILED
            if stop.has_begun():
                return
            if exit_code in _HOPELESS:
                self._exit_code = exit_code
                stop.begin()
                return
            failures = 1 if time.monotonic() - began > _WELL_AFTER_SECONDS else failures + 1
            delay = self._restarts.delay_seconds(failures)
            logger.error(
                "worker_process_died", process=number, reason=_reason(exit_code), restart_in_seconds=round(delay, 3)
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), delay)

    async def _run_one(self, number: int, stop: StopSignals) -> int:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            env={**os.environ, _SUPERVISED: "1"},
            # Ctrl-C goes to all processes of a terminal's group: these are to be told once, by us
            start_new_session=True,
        )
        self._processes.add(process)
        logger.info("worker_process_started", process=number, pid=process.pid)
        if stop.has_begun():
            # too late to be among those who were told
            _send(process, signal.SIGTERM)
        try:
            return await process.wait()
        except asyncio.CancelledError:
            # nobody supervises it any more
            _send(process, signal.SIGKILL)
            await process.wait()
            raise
        finally:
            self._processes.discard(process)

    def _kill(self) -> None:
        self._exit_code = ExitCode.FORCED
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes:
            _send(process, number)


@contextmanager
def when_supervisor_dies(call: Callable[[], None], environment: MutableMapping[str, str]) -> Iterator[None]:
    """Call once the supervisor of this process is gone, if it has one."""
    # taken out: processes that a handler starts are not the supervisor's
    if environment.pop(_SUPERVISED, None) is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def on_readable() -> None:
        if not os.read(0, 1):
            loop.remove_reader(0)
            call()

    loop.add_reader(0, on_readable)
    try:
        yield
    finally:
        loop.remove_reader(0)


def _send(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(number)


def _reason(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exit code {exit_code}"
    with suppress(ValueError):
        return signal.Signals(-exit_code).name
    return f"signal {-exit_code}"
