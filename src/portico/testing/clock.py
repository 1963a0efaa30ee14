"""A clock that stands still until a test moves it."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count

from typing_extensions import override

from portico.exceptions import ConfigurationError
from portico.ports.clock import Clock

_SETTLE_ROUNDS = 100
_LEAST_ROUNDS = 3
_MICROSECONDS = 1_000_000


class FakeClock(Clock):
    """Time that moves only in `advance`; `start` is aware."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ConfigurationError("FakeClock needs an aware start, for example datetime(2030, 1, 1, tzinfo=UTC)")
        self._start = start.astimezone(UTC)
        # whole microseconds, so that ten times 0.1 seconds are one second
        self._elapsed = 0
        self._order = count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    @override
    def now(self) -> datetime:
        return self._start + timedelta(microseconds=self._elapsed)

    @override
    def monotonic(self) -> float:
        return self._elapsed / _MICROSECONDS

    @override
    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        due = self._elapsed + max(1, round(seconds * _MICROSECONDS))
        heapq.heappush(self._sleepers, (due, next(self._order), woken))
        await woken

    @override
    async def sleep_until(self, moment: datetime) -> None:
        # nobody sets this clock: it need not be looked at meanwhile
        await self.sleep((moment - self.now()).total_seconds())

    @property
    def sleepers(self) -> int:
        """How many tasks are waiting for the time to come."""
        return sum(not woken.done() for _, _, woken in self._sleepers)

    async def advance(self, seconds: float) -> None:
        """Move on, waking sleepers in the order of their times; what each does then happens at its moment."""
        if seconds < 0:
            raise ConfigurationError(f"time does not go back: advance({seconds})")
        await self.settle()
        target = self._elapsed + round(seconds * _MICROSECONDS)
        while self._sleepers and self._sleepers[0][0] <= target:
            await self._wake_next()
        self._elapsed = target
        await self.settle()

    async def settle(self) -> None:
        """Let the tasks of the loop run until they wait; threads and sockets are not waited for."""
        # asyncio's own loops show what is ready, which makes a day of seconds pass in one; others go round and round
        ready = getattr(asyncio.get_running_loop(), "_ready", None)
        for done in range(_SETTLE_ROUNDS):
            await asyncio.sleep(0)
            if ready is not None and not ready and done >= _LEAST_ROUNDS:
                return

    async def _wake_next(self) -> None:
        due, _, woken = heapq.heappop(self._sleepers)
        if woken.done():
            return
        self._elapsed = max(self._elapsed, due)
        woken.set_result(None)
        await self.settle()
