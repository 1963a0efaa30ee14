"""The server's time, as near as this process knows it."""

from datetime import datetime, timedelta

from typing_extensions import override

from portico.ports.clock import Clock
from portico.runtime.clock import SystemClock


class ServerClock(Clock):
    """The machine's clock, corrected by how far it was from the server's when last compared.

    It gives what this process writes down the server's time; what decides (due times, leases) the server reads from
    its own clock.
    """

    def __init__(self) -> None:
        self._machine = SystemClock()
        self._ahead = timedelta(0)

    def compare(self, server_time: datetime) -> None:
        """Note the server's time, just read."""
        self._ahead = server_time - self._machine.now()

    def corrected(self, moment: datetime) -> datetime:
        """Return the server's time at a moment that the machine's clock will show."""
        return moment + self._ahead

    @override
    def now(self) -> datetime:
        return self.corrected(self._machine.now())

    @override
    def monotonic(self) -> float:
        return self._machine.monotonic()

    @override
    async def sleep(self, seconds: float) -> None:
        await self._machine.sleep(seconds)
