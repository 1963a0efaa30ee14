"""Coroutines that run one job after another: a task for each job would cost more than many a job."""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from portico.kits.job.job_run import JobRun
from portico.kits.job.job_slots import JobSlots
from portico.kits.job.waiting import current_task

_LONGEST_TURN_SECONDS = 0.005
_WOKEN_AT_ONCE = 2


class JobRunners:
    """Runs jobs in the order they come, on as many runners as there are slots.

    A job sees no trace of the one before: a runner whose context variables were changed, or that somebody cancelled,
    is replaced.

    Args:
        slots: how many jobs may run at once.
        work: runs one job to its end in the task it is given; False when the runner may not be used again.
        name: what the tasks are called.
        on_task: told of each new task.

    """

    def __init__(
        self,
        slots: JobSlots,
        work: Callable[[JobRun, asyncio.Task[Any]], Awaitable[bool]],
        *,
        name: str,
        on_task: Callable[[asyncio.Task[Any]], None],
    ) -> None:
        self._slots = slots
        self._work = work
        self._name = name
        self._on_task = on_task
        self._waiting: deque[JobRun] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._runners: set[asyncio.Task[Any]] = set()
        self._is_closed = False
        # tasks are made by others too, by runners among them: each begins in a copy of this one
        self._context = contextvars.copy_context()

    @property
    def waiting(self) -> int:
        """How many jobs wait for a runner."""
        return len(self._waiting)

    def put(self, runs: Iterable[JobRun]) -> None:
        """Run these jobs when it is their turn."""
        self._waiting.extend(runs)
        self.wake()

    def take_claimed_before(self, moment: float) -> list[JobRun]:
        """Take back the jobs that have waited since before `moment`."""
        taken = []
        while self._waiting and self._waiting[0].claimed_at < moment:
            taken.append(self._waiting.popleft())
        return taken

    def take_all(self) -> list[JobRun]:
        """Take back all jobs that wait."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def run_apart(self, run: JobRun) -> None:
        """Work a job off beside the others: one that is not run, but answered."""
        task = asyncio.create_task(self._run_one(run), name=f"{self._name}:apart", context=self._context.copy())
        self._on_task(task)

    def close(self) -> None:
        """Let no runner wait for more; those that are busy end after their job, what waits is worked off at once."""
        self._is_closed = True
        for idle in self._idle:
            _set(idle)
        self._idle.clear()
        for run in self.take_all():
            self.run_apart(run)

    def wake(self) -> None:
        """See to it that what waits is run."""
        # each that wakes does the same: all are up soon when jobs pause, and few for nothing when none does
        for _ in range(min(_WOKEN_AT_ONCE, len(self._waiting))):
            if self._idle:
                _set(self._idle.pop())
            elif self._is_closed or len(self._runners) < self._limit:
                self._add_runner()

    def _add_runner(self) -> None:
        task = asyncio.create_task(self._run(), name=f"{self._name}:runner", context=self._context.copy())
        self._runners.add(task)
        task.add_done_callback(self._runners.discard)
        self._on_task(task)

    async def _run(self) -> None:
        task = current_task()
        while await self._take_turn(task):
            if self._is_closed:
                return
            await self._wait()

    async def _run_one(self, run: JobRun) -> None:
        await self._work(run, current_task())

    async def _take_turn(self, task: asyncio.Task[Any]) -> bool:
        """Run jobs until none waits; False when this runner is done for."""
        self.wake()
        time = asyncio.get_running_loop().time
        began = time()
        while self._waiting:
            if not await self._work(self._waiting.popleft(), task):
                # somebody cancels tasks, perhaps all there are: this is no time for new ones
                return False
            if len(self._runners) > self._limit or self._has_changed_context():
                self._runners.discard(task)
                self.wake()
                return False
            if time() - began > _LONGEST_TURN_SECONDS:
                await asyncio.sleep(0)
                began = time()
        return True

    def _has_changed_context(self) -> bool:
        try:
            # the same tree inside as long as nothing was set: no values are compared then
            return contextvars.copy_context() != self._context
        except Exception:  # noqa: BLE001 - a job's values that cannot be compared were not there before
            return True

    @property
    def _limit(self) -> int:
        return self._slots.limit + self._slots.parked_count

    async def _wait(self) -> None:
        idle = asyncio.get_running_loop().create_future()
        self._idle.append(idle)
        try:
            await idle
        except asyncio.CancelledError:
            if idle in self._idle:
                self._idle.remove(idle)
            raise


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
