"""Noticing a handler that keeps the event loop to itself."""

import asyncio
import sys
import sysconfig
import threading
import time
from types import FrameType

from portico.kits.job.job_run import JobRun, RunPhase
from portico.kits.job.runs_in_hand import RunsInHand
from portico.utils.logging import get_logger

logger = get_logger(__name__)

FIRST_WARNING_SECONDS = 1.0
_INTERVAL_SECONDS = 0.5
_ASLEEP_SECONDS = 60.0
_STANDARD_LIBRARY = sysconfig.get_path("stdlib")


class EventLoopWatch:
    """A thread that asks the loop for a sign of life twice a second while jobs run, and sleeps while none does.

    It warns after a second without one, and again each time that doubled. Seconds in which the whole process stood
    still, because it or the machine was suspended, do not count.
    """

    def __init__(self, runs: RunsInHand, *, worker: str) -> None:
        self._runs = runs
        self._worker = worker
        self._signal = threading.Event()
        self._is_asleep = False
        self._is_stopped = True
        self._has_answered = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Watch the loop that runs this."""
        self._loop = asyncio.get_running_loop()
        self._loop_thread_id = threading.get_ident()
        self._is_stopped = False
        self._signal.clear()
        self._thread = threading.Thread(target=self._watch, name=f"{self._worker}:watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._is_stopped = True
        self._signal.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def wake(self) -> None:
        """Say that there are jobs again."""
        if self._is_asleep:
            self._signal.set()

    def _watch(self) -> None:
        try:
            while not self._is_stopped and not self._loop.is_closed():
                if self._runs:
                    self._watch_one_turn()
                    self._wait(_INTERVAL_SECONDS)
                else:
                    self._sleep()
        except RuntimeError:
            # the loop was closed under our hands
            return

    def _sleep(self) -> None:
        self._is_asleep = True
        # jobs that came before the line above did not wake us
        if not self._runs:
            self._wait(_ASLEEP_SECONDS)
        self._is_asleep = False

    def _watch_one_turn(self) -> None:
        self._has_answered = False
        self._loop.call_soon_threadsafe(self._answer)
        blocked, next_warning = 0.0, FIRST_WARNING_SECONDS
        while True:
            blocked += self._wait(_INTERVAL_SECONDS)
            if self._has_answered or self._is_stopped or self._loop.is_closed():
                return
            if blocked >= next_warning:
                self._warn(blocked)
                next_warning = 2 * blocked

    def _answer(self) -> None:
        self._has_answered = True
        self._signal.set()

    def _wait(self, seconds: float) -> float:
        """Wait for a signal; return how long this process lived meanwhile."""
        began, worked_before = time.monotonic(), time.process_time()
        self._signal.wait(seconds)
        self._signal.clear()
        passed = time.monotonic() - began
        return passed if passed < 2 * seconds else min(passed, time.process_time() - worked_before)

    def _warn(self, seconds: float) -> None:
        task = asyncio.current_task(self._loop)
        run = self._run_of(task)
        who = {"task": task.get_name() if task else None} if run is None else run.log_fields()
        frame = sys._current_frames().get(self._loop_thread_id)  # noqa: SLF001 - the documented way to another thread's
        logger.warning("event_loop_blocked", seconds=round(seconds, 1), at=_place(frame), worker=self._worker, **who)

    def _run_of(self, task: asyncio.Task[object] | None) -> JobRun | None:
        running = (run for run in self._runs if run.phase is RunPhase.HANDLER)
        return next((run for run in running if run.task is task), None)


def _place(frame: FrameType | None) -> str | None:
    """Return where the innermost code stands that is not the standard library's."""
    at = frame
    while at is not None and at.f_back is not None and _is_standard(at.f_code.co_filename):
        at = at.f_back
    return None if at is None else f"{at.f_code.co_filename}:{at.f_lineno} {at.f_code.co_name}"


def _is_standard(path: str) -> bool:
    return path.startswith("<") or (path.startswith(_STANDARD_LIBRARY) and "site-packages" not in path)
