"""The processes that a measurement starts, and what it sees of them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from benchmarks.queues import surroundings
from benchmarks.queues.roster import Contender

_ROOT = Path(__file__).parents[2]
_PRODUCER_SECONDS = 600
_STOP_SECONDS = 10
_SAMPLE_SECONDS = 0.25
_TAIL = 1_500


class MeasuringError(Exception):
    """A contender did not do what was asked of it; the message holds the end of what it wrote."""


def environment(contender: Contender, url: str, marks_path: Path) -> dict[str, str]:
    """Say to a child what it works on."""
    ours = {
        surroundings.URL: url,
        surroundings.MARKS: str(marks_path),
        surroundings.VARIANT: contender.variant,
        "PYTHONPATH": str(_ROOT),
        "dramatiq_queue_prefetch": "200",
    }
    return {**os.environ, **ours}


def produce(contender: Contender, environ: Mapping[str, str], phase: str, *numbers: int) -> dict[str, Any]:
    """Run a producer to its end and return what it measured."""
    command = [sys.executable, "-m", "benchmarks.queues.produce", contender.module, phase, *map(str, numbers)]
    run = subprocess.run(
        command, env=environ, cwd=_ROOT, capture_output=True, text=True, timeout=_PRODUCER_SECONDS, check=False
    )
    if run.returncode:
        raise MeasuringError(f"producer '{phase}' ended with {run.returncode}: {run.stderr[-_TAIL:]}")
    measured: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return measured


class WorkerProcess:
    """A worker with its children, in a process group of its own; what it writes goes to a file."""

    def __init__(self, contender: Contender, environ: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *contender.worker_command],
                env=environ,
                cwd=_ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._seen = psutil.Process(self._process.pid)
        self._next_sample = 0.0
        self.peak_megabytes = 0.0
        self.megabytes = 0.0
        self.processes = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
        finally:
            self._kill_what_is_left()

    def require_alive(self) -> None:
        """Raise when it ended by itself."""
        if self._process.poll() is not None:
            said = self._log.read_text(errors="replace")[-_TAIL:]
            raise MeasuringError(f"the worker ended with {self._process.returncode}: {said}")

    def sample(self) -> None:
        """Look at its memory, unless that was done a moment ago; children that share pages count them each."""
        if time.monotonic() < self._next_sample:
            return
        self._next_sample = time.monotonic() + _SAMPLE_SECONDS
        sizes = [size for process in self._tree() if (size := _resident(process))]
        self.megabytes = sum(sizes) / 1e6
        self.peak_megabytes = max(self.peak_megabytes, self.megabytes)
        self.processes = max(self.processes, len(sizes))

    def _tree(self) -> list[psutil.Process]:
        try:
            return [self._seen, *self._seen.children(recursive=True)]
        except psutil.Error:
            return []

    def _kill_what_is_left(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _resident(process: psutil.Process) -> int:
    try:
        resident: int = process.memory_info().rss
    except psutil.Error:
        return 0
    return resident
