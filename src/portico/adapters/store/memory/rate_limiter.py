"""Exact rate limits in the memory of this process."""

from collections import deque

from typing_extensions import override

from portico.ports.clock import Clock
from portico.ports.rate_limiter import RateDecision, RateLimiter, require_limit
from portico.runtime.clock import SystemClock

# how many keys may gather before those that are free again are looked for
_KEYS_BEFORE_SWEEP = 1024


class MemoryRateLimiter(RateLimiter):
    """Remembers when each acquisition of the last window happened: exact, at `limit` numbers a key."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._free_at: dict[str, deque[float]] = {}
        """By key, when each acquisition leaves its window; ascending."""
        self._sweep_above = _KEYS_BEFORE_SWEEP

    @override
    async def acquire(self, key: str, limit: int, window_seconds: float) -> RateDecision:
        require_limit(limit, window_seconds)
        now = self._clock.monotonic()
        taken = self._free_at.setdefault(key, deque())
        _drop_past(taken, now)
        if len(taken) >= limit:
            # a limit that was lowered is met when all but `limit - 1` are free
            return RateDecision(allowed=False, remaining=0, retry_after_seconds=taken[-limit] - now)
        taken.append(now + window_seconds)
        self._sweep(now)
        return RateDecision(allowed=True, remaining=limit - len(taken))

    def _sweep(self, now: float) -> None:
        if len(self._free_at) <= self._sweep_above:
            return
        for key, taken in list(self._free_at.items()):
            _drop_past(taken, now)
            if not taken:
                del self._free_at[key]
        # twice what is in use: so the work of a sweep is shared by as many acquisitions
        self._sweep_above = max(_KEYS_BEFORE_SWEEP, 2 * len(self._free_at))


def _drop_past(taken: deque[float], now: float) -> None:
    while taken and taken[0] <= now:
        taken.popleft()
