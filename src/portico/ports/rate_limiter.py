"""How often something may happen."""

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RateDecision:
    """Whether it may happen now; `retry_after_seconds` is 0 when it may, else the time until the next one passes."""

    allowed: bool
    remaining: int
    retry_after_seconds: float = 0.0


class RateLimiter(ABC):
    """Exact sliding windows: never more than `limit` acquisitions of a key in any `window_seconds`."""

    @abstractmethod
    async def acquire(self, key: str, limit: int, window_seconds: float) -> RateDecision:
        """Take one, if there is one; what is refused takes nothing."""
