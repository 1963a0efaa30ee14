"""A sleep that can be ended from elsewhere."""

import asyncio

from portico.ports.clock import Clock


class Alarm:
    """Wakes the one task that waits for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """End the wait that goes on, or else the next one."""
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Return after so many seconds, or when it is rung."""
        if not self._rung.is_set():
            end = self._clock.monotonic() + seconds
            waits = [asyncio.ensure_future(self._sleep_until(end)), asyncio.ensure_future(self._rung.wait())]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
        self._rung.clear()

    async def _sleep_until(self, end: float) -> None:
        # how long is asked when this begins: whoever was ready before has had a turn of the event loop meanwhile
        await self._clock.sleep(end - self._clock.monotonic())
