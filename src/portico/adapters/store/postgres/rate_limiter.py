"""Exact rate limits in a PostgreSQL database, shared by all who use its schema."""

from datetime import timedelta

from typing_extensions import override

from portico.adapters.store.postgres.store import PostgresStore
from portico.adapters.store_user import StoreUser
from portico.ports.rate_limiter import RateDecision, RateLimiter, require_limit, resolution_seconds


class PostgresRateLimiter(RateLimiter):
    """Remembers when each acquisition of the last window happened; opens the store on first use."""

    def __init__(self, store: PostgresStore) -> None:
        self._user = StoreUser(store)

    @override
    async def close(self) -> None:
        await self._user.close()

    @override
    async def acquire(self, key: str, limit: int, window_seconds: float) -> RateDecision:
        require_limit(limit, window_seconds)
        window = timedelta(seconds=window_seconds)
        step = timedelta(seconds=resolution_seconds(limit, window_seconds))
        store = await self._user.open()
        [row] = await store.fetch("rate_acquire", key, limit, window, step, store.now())
        if row[0] is None:
            return RateDecision(allowed=False, remaining=0, retry_after_seconds=row[1].total_seconds())
        return RateDecision(allowed=True, remaining=row[0])
