"""Cutting off what takes too long, where every request is watched."""

import asyncio
from collections.abc import Callable
from types import TracebackType


class Deadline:
    """Does what `asyncio.timeout` does, once; leaving it raises what it was cut off with."""

    __slots__ = ("_cancelling", "_cut_off_with", "_task", "_under_way", "ends_at")

    def __init__(self, under_way: dict["Deadline", None], ends_at: float) -> None:
        self._under_way = under_way
        self._cut_off_with: Exception | None = None
        self.ends_at = ends_at

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "a deadline is a task's"  # noqa: S101 - a mistake in this package
        self._task = task
        self._cancelling = task.cancelling()
        self._under_way[self] = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        del self._under_way[self]
        if self._cut_off_with is None:
            return
        # somebody else may have cancelled the task, too: that goes on
        if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise self._cut_off_with from error

    def cut_off(self, error: Exception) -> None:
        """Cancel what is under way, which raises `error`; a second call does nothing."""
        if self._cut_off_with is None:
            self._cut_off_with = error
            self._task.cancel()


class Deadlines:
    """Hands out deadlines of one length, with one timer for all: a timer for each costs more than what it watches.

    Args:
        seconds: what each may take.

    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # in the order of their ends, for all have the same time
        self._under_way: dict[Deadline, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> Deadline:
        """Return a deadline that is to be entered at once."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._seconds
        # a timer of a loop that has ended never comes
        if self._timer is None or loop is not self._loop:
            self._loop = loop
            self._timer = loop.call_at(ends_at, self._cut_off_late, loop)
        return Deadline(self._under_way, ends_at)

    def cut_off_all(self, error: Callable[[], Exception]) -> None:
        """Cut off whatever is under way, each with an error of its own."""
        for deadline in self._under_way:
            deadline.cut_off(error())

    def _cut_off_late(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for deadline in self._under_way:
            if deadline.ends_at > now:
                self._timer = loop.call_at(deadline.ends_at, self._cut_off_late, loop)
                return
            deadline.cut_off(TimeoutError())
