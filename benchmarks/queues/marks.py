"""Which jobs ran, when and how often: counted in memory that producer, worker and runner share.

Counting needs no server and costs every contender the same; it finds lost jobs and jobs that ran twice.
"""

import mmap
import os
import time
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.queues import surroundings

_SLOT_BYTES = 8 + 4
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - no file: memory under a name of our own


def folder() -> str | None:
    """Where marks cost no disk access; None for the system's temporary folder."""
    return str(_SHARED_MEMORY) if os.access(_SHARED_MEMORY, os.W_OK) else None


class Marks:
    """One slot per job: when it first started, in nanoseconds of the machine's monotonic clock, and how often."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        with Path(path).open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self.slots = len(self._memory) // _SLOT_BYTES
        whole = memoryview(self._memory)
        self._times = whole[: self.slots * 8].cast("q")
        self._counts = whole[self.slots * 8 :].cast("I")
        self._whole = whole

    @classmethod
    def create(cls, path: Path, slots: int) -> Self:
        """Make a file for this many jobs, none of which ran."""
        with path.open("wb") as file:
            file.truncate(slots * _SLOT_BYTES)
        return cls(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for view in (self._times, self._counts, self._whole):
            view.release()
        self._memory.close()

    def record(self, number: int) -> None:
        """Say that this job runs now; where there are fewer slots than jobs, they share them."""
        slot = number % self.slots
        if not self._counts[slot]:
            self._times[slot] = time.monotonic_ns()
        self._counts[slot] += 1

    def ran(self, number: int) -> bool:
        """Tell whether this job ran."""
        return self._counts[number] > 0

    def started_ns(self, number: int) -> int:
        """Return when this job first started."""
        return self._times[number]

    def missing(self, count: int) -> int:
        """How many of the first `count` jobs have not run."""
        return self._counts[:count].tolist().count(0)

    def repeated(self, count: int) -> int:
        """How many of the first `count` jobs ran more than once."""
        return sum(runs > 1 for runs in self._counts[:count])

    def total(self) -> int:
        """How many runs there were in all slots together."""
        return sum(self._counts)

    def span_seconds(self, count: int) -> float:
        """From the first start to the last among the first `count` jobs."""
        times = [moment for moment in self._times[:count] if moment]
        return (max(times) - min(times)) / 1e9 if times else 0.0


@cache
def shared() -> Marks:
    """The marks that this process was told of."""
    return Marks(os.environ[surroundings.MARKS])


def record(number: int) -> None:
    """Say in the shared marks that this job runs now: all that a handler does."""
    shared().record(number)
