"""Whether the clock of this host may be trusted: a schedule that fires by a wrong one does harm that stays."""

import asyncio
from datetime import timedelta

from portico.exceptions import PorticoError
from portico.ports.clock import Clock
from portico.ports.trigger_store import TriggerStore
from portico.utils.logging import get_logger

logger = get_logger(__name__)

LARGEST_SKEW = timedelta(seconds=60)
_CHECK_EVERY_SECONDS = 30.0
_LARGEST_JUMP_SECONDS = 5.0
_ANSWER_WITHIN_SECONDS = 2.0


class ClockGuard:
    """Compares the host's clock with the store's: from time to time, and at once when the host's was moved.

    A store without a clock of its own has the host's, and always agrees.
    """

    def __init__(self, store: TriggerStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._skew = timedelta(0)
        self._checked_at: float | None = None
        self._wall_ahead = 0.0

    @property
    def skew(self) -> timedelta:
        """How far the host is ahead, as measured last."""
        return self._skew

    async def is_trusted(self) -> bool:
        """Measure where that is due, and tell whether the clocks agree; a store that fails changes no answer."""
        if self._must_check():
            await self._check()
        return abs(self._skew) <= LARGEST_SKEW

    def _must_check(self) -> bool:
        if self._checked_at is None or abs(self._skew) > LARGEST_SKEW:
            return True
        was_moved = abs(self._wall_minus_monotonic() - self._wall_ahead) > _LARGEST_JUMP_SECONDS
        return was_moved or self._clock.monotonic() - self._checked_at >= _CHECK_EVERY_SECONDS

    async def _check(self) -> None:
        self._checked_at = self._clock.monotonic()
        self._wall_ahead = self._wall_minus_monotonic()
        before = self._clock.now()
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_SECONDS):
                theirs = await self._store.now()
        except (PorticoError, TimeoutError) as error:
            logger.debug("schedule_clock_not_compared", error=type(error).__name__)
            return
        ours = before + (self._clock.now() - before) / 2
        self._skew = ours - theirs

    def _wall_minus_monotonic(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()
