"""Cutting off what takes too long, where every request is watched."""

import asyncio
from types import TracebackType


class Deadline:
    """Does what `asyncio.timeout` does, once; leaving it raises `TimeoutError` when it was cut off."""

    __slots__ = ("_cancelling", "_deadlines", "_task", "ends_at", "is_over")

    def __init__(self, deadlines: "Deadlines", ends_at: float) -> None:
        self._deadlines = deadlines
        self.ends_at = ends_at
        self.is_over = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "a deadline is a task's"  # noqa: S101 - a mistake in this package
        self._task = task
        self._cancelling = task.cancelling()
        self._deadlines.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._deadlines.discard(self)
        if not self.is_over:
            return
        # somebody else may have cancelled the task, too: that goes on
        if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def cut_off(self) -> None:
        """Cancel what is under way; a second call does nothing."""
        if not self.is_over:
            self.is_over = True
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
        if loop is not self._loop:
            # the loop that had the timer has ended
            self._loop, self._timer = loop, None
        return Deadline(self, loop.time() + self._seconds)

    def add(self, deadline: Deadline) -> None:
        """Watch a deadline."""
        self._under_way[deadline] = None
        if self._timer is None:
            self._watch(deadline)

    def discard(self, deadline: Deadline) -> None:
        """Watch it no longer."""
        self._under_way.pop(deadline, None)

    def cut_off_all(self) -> None:
        """Cut off whatever is under way."""
        for deadline in self._under_way:
            deadline.cut_off()

    def _watch(self, first: Deadline) -> None:
        assert self._loop is not None, "nothing has begun"  # noqa: S101 - a mistake in this package
        self._timer = self._loop.call_at(first.ends_at, self._cut_off_late, self._loop)

    def _cut_off_late(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for deadline in self._under_way:
            if deadline.ends_at > now:
                self._watch(deadline)
                return
            deadline.cut_off()
