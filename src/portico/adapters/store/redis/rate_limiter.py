"""Exact rate limits on Redis, shared by all who use the prefix."""

from typing_extensions import override

from portico.adapters.store.redis.store import RedisStore
from portico.ports.rate_limiter import RateDecision, RateLimiter, require_limit

_SECOND = 1_000_000


class RedisRateLimiter(RateLimiter):
    """Remembers when each acquisition of the last window happened; opens the store on first use."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    @override
    async def close(self) -> None:
        await self._store.close(self)

    @override
    async def acquire(self, key: str, limit: int, window_seconds: float) -> RateDecision:
        require_limit(limit, window_seconds)
        await self._store.open(self)
        window = round(window_seconds * _SECOND)
        allowed, remaining, wait = await self._store.run("rate_acquire", key, limit, window)
        return RateDecision(allowed=bool(allowed), remaining=remaining, retry_after_seconds=wait / _SECOND)
