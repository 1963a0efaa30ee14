"""Exact rate limits in an SQLite file, shared by the processes that have it open."""

import sqlite3
from functools import partial

from typing_extensions import override

from portico.adapters.store.sqlite.statements import statement
from portico.adapters.store.sqlite.store import SqliteStore
from portico.adapters.store_user import StoreUser
from portico.adapters.stored_moments import microseconds
from portico.ports.clock import Clock
from portico.ports.rate_limiter import RateDecision, RateLimiter, require_limit, resolution_seconds
from portico.runtime.clock import SystemClock

_SECOND = 1_000_000


class SqliteRateLimiter(RateLimiter):
    """Remembers when each acquisition of the last window happened; opens the store on first use."""

    def __init__(self, store: SqliteStore, *, clock: Clock | None = None) -> None:
        self._user = StoreUser(store)
        self._clock = clock or SystemClock()

    @override
    async def close(self) -> None:
        await self._user.close()

    @override
    async def acquire(self, key: str, limit: int, window_seconds: float) -> RateDecision:
        require_limit(limit, window_seconds)
        window = round(window_seconds * _SECOND)
        step = max(1, round(resolution_seconds(limit, window_seconds) * _SECOND))
        store = await self._user.open()
        taking = partial(_acquire, clock=self._clock, key=key, limit=limit, window=window, step=step)
        return await store.write(taking)


def _acquire(
    connection: sqlite3.Connection, *, clock: Clock, key: str, limit: int, window: int, step: int
) -> RateDecision:
    # the time is asked when it is this one's turn: what was taken before is there to be counted
    now = microseconds(clock.now())
    connection.execute(statement("rate_forget"), (now,))
    [[taken]] = connection.execute(statement("rate_taken"), (key,)).fetchall()
    if taken >= limit:
        # a limit that was lowered is met when all but `limit - 1` are free
        [[free_at]] = connection.execute(statement("rate_free_at"), (key, taken - limit + 1)).fetchall()
        return RateDecision(allowed=False, remaining=0, retry_after_seconds=(free_at - now) / _SECOND)
    free_at = -(-(now + window) // step) * step
    connection.execute(statement("rate_take"), (key, free_at))
    return RateDecision(allowed=True, remaining=limit - taken - 1)
