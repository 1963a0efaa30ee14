"""The time, as something that comes in from outside."""

from abc import ABC, abstractmethod
from datetime import datetime


class Clock(ABC):
    """What time it is, and waiting for it; tests pass `portico.testing.FakeClock`."""

    @abstractmethod
    def now(self) -> datetime:
        """Return the wall-clock time, aware and in UTC; it may be set back."""

    @abstractmethod
    def monotonic(self) -> float:
        """Return seconds that never go back, for measuring durations."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Wait; cancelling cuts it short. Not more than a hint: check the time after it."""
