"""Waiting on the clock that comes in from outside."""

import asyncio
from types import TracebackType
from typing import Any, Self

from portico.ports.clock import Clock


async def sleep_unless(clock: Clock, seconds: float, *events: asyncio.Event) -> None:
    """Sleep, but only until one of the events is set."""
    waiters: list[asyncio.Task[Any]] = [asyncio.create_task(clock.sleep(seconds), name="sleep")]
    waiters += [asyncio.create_task(event.wait(), name="sleep-unless") for event in events]
    try:
        await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiters:
            waiter.cancel()


class Deadline:
    """An ``async with`` block that is cancelled after `seconds` of `clock` and then raises `TimeoutError`."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._has_passed = False
        self._cancellations_before = 0

    async def __aenter__(self) -> Self:
        task = current_task()
        self._task = task
        self._cancellations_before = task.cancelling()
        self._timer = asyncio.create_task(self._expire(), name="deadline")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if not self._has_passed:
            return
        is_only_ours = self._task.uncancel() <= self._cancellations_before
        if is_only_ours and kind is asyncio.CancelledError:
            raise timed_out(self._seconds) from error

    async def _expire(self) -> None:
        await self._clock.sleep(self._seconds)
        self._has_passed = True
        self._task.cancel()


def timed_out(seconds: float) -> TimeoutError:
    """Return the error of a run that took longer than it may."""
    return TimeoutError(f"timed out after {seconds:g} s")


def is_being_cancelled() -> bool:
    """Tell a cancellation of the current task from a `CancelledError` that its own code raised."""
    return current_task().cancelling() > 0


def take_cancellation() -> None:
    """Have dealt with the cancellations of the current task: what it awaits from here on is not meant."""
    task = current_task()
    while task.cancelling():
        task.uncancel()


def current_task() -> asyncio.Task[Any]:
    """Return the task that runs this."""
    task = asyncio.current_task()
    if task is None:
        message = "there is no current task"
        raise RuntimeError(message)
    return task
