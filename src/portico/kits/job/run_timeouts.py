"""The time limits of all runs, on one timer."""

import asyncio
import math

from portico.kits.job.job_run import JobRun
from portico.kits.job.waiting import sleep_unless
from portico.ports.clock import Clock

_LONGEST_SLEEP_SECONDS = 60.0


class RunTimeouts:
    """Times runs out; a run whose end comes before costs two changes of a dictionary, and no timer of its own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # by duration: runs that may take equally long are due in the order in which they began
        self._due: dict[float, dict[JobRun, float]] = {}
        self._next_due = -math.inf
        self._sooner = asyncio.Event()

    def add(self, run: JobRun) -> None:
        """Watch a run from its beginning on."""
        seconds = run.handling.timeout_seconds
        if seconds is None:
            return
        due = run.started_at + seconds
        self._due.setdefault(seconds, {})[run] = due
        if due < self._next_due:
            self._next_due = due
            self._sooner.set()

    def discard(self, run: JobRun) -> None:
        """The handler has ended."""
        seconds = run.handling.timeout_seconds
        if seconds is not None:
            self._due.get(seconds, {}).pop(run, None)

    async def keep(self) -> None:
        """Time out whatever is due, for ever."""
        while True:
            now = self._clock.monotonic()
            self._expire(now)
            firsts = [next(iter(runs.values())) for runs in self._due.values() if runs]
            self._next_due = min(firsts, default=now + _LONGEST_SLEEP_SECONDS)
            self._sooner.clear()
            await sleep_unless(self._clock, min(self._next_due - now, _LONGEST_SLEEP_SECONDS), self._sooner)

    def _expire(self, now: float) -> None:
        for runs in self._due.values():
            while runs and next(iter(runs.values())) <= now:
                run = next(iter(runs))
                del runs[run]
                run.time_out()
