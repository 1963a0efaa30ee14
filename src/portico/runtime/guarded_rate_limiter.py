"""A rate limiter for those who cannot wait until its store is back."""

import asyncio
from collections.abc import Callable
from typing import Literal

from typing_extensions import override

from portico.exceptions import ConfigurationError, DatabaseError
from portico.ports.clock import Clock
from portico.ports.rate_limiter import RateDecision, RateLimiter
from portico.runtime.service import describe
from portico.utils.logging import get_logger

logger = get_logger(__name__)

OnLimiterError = Literal["local", "allow", "deny"]

_PATIENCE_SECONDS = 1.0
_PAUSE_SECONDS = 5.0


class GuardedRateLimiter(RateLimiter):
    """While the store of a limiter fails, counts in this process alone, lets everything pass, or says so.

    The store is asked again every few seconds; in between nobody waits for it.

    Args:
        limiter: counts where its store is.
        local: makes a limiter that counts in this process, when it is needed.
        on_error: ``"local"``, ``"allow"`` or ``"deny"``, which raises `DatabaseError`.
        clock: the time.

    """

    def __init__(
        self, limiter: RateLimiter, local: Callable[[], RateLimiter], *, on_error: OnLimiterError, clock: Clock
    ) -> None:
        self._limiter = limiter
        self._local = local
        self._on_error = on_error
        self._clock = clock
        self._stand_in: RateLimiter | None = None
        self._asked_again_at = 0.0

    def count_with(self, limiter: RateLimiter) -> None:
        """Let another limiter count from now on."""
        self._limiter = limiter
        self._stand_in = None

    @override
    async def close(self) -> None:
        await self._limiter.close()

    @override
    async def acquire(self, key: str, limit: int, window_seconds: float) -> RateDecision:
        if self._stand_in is not None:
            now = self._clock.monotonic()
            if now < self._asked_again_at:
                return await self._stand_in.acquire(key, limit, window_seconds)
            # one of those who come at once asks; the others do not wait with it
            self._asked_again_at = now + _PAUSE_SECONDS
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                decision = await self._limiter.acquire(key, limit, window_seconds)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a store raises, its callers are answered; it is logged
            return await self._failed(error).acquire(key, limit, window_seconds)
        self._recovered()
        return decision

    def _failed(self, error: Exception) -> RateLimiter:
        self._asked_again_at = self._clock.monotonic() + _PAUSE_SECONDS
        if self._stand_in is None:
            logger.warning("rate_limiter_unavailable", instead=self._on_error, error=describe(error))
            self._stand_in = self._local() if self._on_error == "local" else _Fixed(allows=self._on_error == "allow")
        return self._stand_in

    def _recovered(self) -> None:
        if self._stand_in is not None:
            self._stand_in = None
            logger.info("rate_limiter_recovered")


class _Fixed(RateLimiter):
    def __init__(self, *, allows: bool) -> None:
        self._allows = allows

    @override
    async def acquire(self, key: str, limit: int, window_seconds: float) -> RateDecision:
        if not self._allows:
            raise DatabaseError("the rate limiter's store does not answer")
        return RateDecision(allowed=True, remaining=limit)
