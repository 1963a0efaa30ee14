"""How many jobs a worker may take on."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PARKED_PER_SLOT = 10


class JobSlots:
    """Counts the jobs under way against a limit; parked ones are free, until there are ten times as many as slots."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._taken = 0
        self._parked = 0
        self._changed = asyncio.Event()

    @property
    def parked_count(self) -> int:
        """How many jobs only wait for their time."""
        return self._parked

    @property
    def free(self) -> int:
        """How many more jobs may be claimed now."""
        too_many_parked = max(0, self._parked - self.limit * _PARKED_PER_SLOT)
        return self.limit - self._taken - too_many_parked

    def take(self) -> None:
        """Count a job that was claimed."""
        self._taken += 1

    def leave(self) -> None:
        """Count one less."""
        self._taken -= 1
        self._changed.set()

    @contextmanager
    def parked(self) -> Iterator[None]:
        """Let others run while a job only waits for its time."""
        self._parked += 1
        self.leave()
        try:
            yield
        finally:
            self._parked -= 1
            self.take()
            self._changed.set()

    def stir(self) -> None:
        """Let those who wait look again, for a reason of their own."""
        self._changed.set()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds; it is looked at whenever something changes."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()
