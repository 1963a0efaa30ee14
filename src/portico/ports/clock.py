"""The time, as something that comes in from outside."""

from abc import ABC, abstractmethod
from datetime import datetime

_LONGEST_SLEEP_SECONDS = 1.0


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

    async def sleep_until(self, moment: datetime) -> None:
        """Wait until `now` is `moment` or later.

        The wall clock is looked at each second: it may be set, and the time that `sleep` goes by stands still while
        the machine is suspended.
        """
        while (seconds := (moment - self.now()).total_seconds()) > 0:
            await self.sleep(min(seconds, _LONGEST_SLEEP_SECONDS))
