"""The server's time, without asking for it."""

from datetime import datetime, timedelta

from typing_extensions import override

from portico.adapters.stored_moments import moment
from portico.ports.clock import Clock
from portico.runtime.clock import SystemClock


class ServerClock(Clock):
    """The clock of this host, set by what replies say of the server's."""

    def __init__(self) -> None:
        self._host: Clock = SystemClock()
        self._ahead = timedelta(0)

    def observe(self, server_time: int) -> None:
        """Note the server's time, just told, in microseconds."""
        self._ahead = moment(server_time) - self._host.now()

    def corrected(self, shown: datetime) -> datetime:
        """Return the server's time at a moment that the clock of this host will show."""
        return shown + self._ahead

    @override
    def now(self) -> datetime:
        return self.corrected(self._host.now())

    @override
    def monotonic(self) -> float:
        return self._host.monotonic()

    @override
    async def sleep(self, seconds: float) -> None:
        await self._host.sleep(seconds)
