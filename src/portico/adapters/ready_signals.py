"""Waiting for jobs without losing a signal between a claim that found nothing and the wait after it."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime

from portico.ports.clock import Clock

# clocks and timers differ by less than this: waking a little early must not spin
_SHORTEST_WAIT_SECONDS = 0.001


class ReadySignals:
    """Which queues may have jobs to claim, as far as this process knows.

    A queue is quiet from a claim that emptied it until something rings for it or its next job is due; nobody
    waits for a queue that is not quiet. So a worker may claim, find nothing, do other things, and then wait.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung: dict[str, int] = {}
        self._rung_for_all = 0
        self._quiet_since: dict[str, tuple[int, int]] = {}
        self._due_at: dict[str, datetime | None] = {}
        self._waiters: dict[asyncio.Future[None], frozenset[str]] = {}
        self._first_waiter: asyncio.Future[None] | None = None

    async def somebody_waits(self) -> None:
        """Return as soon as there is anybody to wake; for one caller at a time."""
        if not self._waiters:
            self._first_waiter = asyncio.get_running_loop().create_future()
            await self._first_waiter

    def before_claim(self, queue_name: str) -> tuple[int, int]:
        """Return what `emptied` needs to know; call it before the claim looks."""
        return self._rung.get(queue_name, 0), self._rung_for_all

    def emptied(self, queue_name: str, before: tuple[int, int], due_at: datetime | None) -> None:
        """Note that a claim took all there was, and when the next job is due by time alone."""
        self._quiet_since[queue_name] = before
        self._due_at[queue_name] = due_at

    def ring(self, queue_names: Iterable[str]) -> None:
        """Wake whoever waits for one of the queues: jobs came, or their times changed."""
        names = frozenset(queue_names)
        for name in names:
            self._rung[name] = self._rung.get(name, 0) + 1
        for waiter, waited_for in self._waiters.items():
            if not names.isdisjoint(waited_for):
                _wake(waiter)

    def ring_all(self) -> None:
        """Wake everybody: something changed, and nobody here knows what."""
        self._rung_for_all += 1
        for waiter in self._waiters:
            _wake(waiter)

    async def wait(self, queue_names: Sequence[str], timeout: float) -> None:
        """Return when one of the queues is not quiet, or after `timeout` seconds."""
        if timeout <= 0 or any(self._is_rung(name) for name in queue_names):
            return
        seconds = min([timeout, *(self._seconds_until_due(name) for name in queue_names)])
        waiter = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = frozenset(queue_names)
        if self._first_waiter is not None:
            _wake(self._first_waiter)
        sleeper = asyncio.create_task(
            self._clock.sleep(max(seconds, _SHORTEST_WAIT_SECONDS)), name="portico-wait-for-jobs"
        )
        sleeper.add_done_callback(lambda _: _wake(waiter))
        try:
            await waiter
            if sleeper.done():
                # a clock that fails is heard here
                sleeper.result()
        finally:
            sleeper.cancel()
            del self._waiters[waiter]

    def _is_rung(self, queue_name: str) -> bool:
        return self._quiet_since.get(queue_name) != self.before_claim(queue_name)

    def _seconds_until_due(self, queue_name: str) -> float:
        due_at = self._due_at.get(queue_name)
        return float("inf") if due_at is None else (due_at - self._clock.now()).total_seconds()


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
