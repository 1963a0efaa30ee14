"""How often something may happen."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from portico.exceptions import ConfigurationError

_EXACT_UP_TO = 1_000
_BUCKETS = 60


@dataclass(frozen=True, kw_only=True)
class RateDecision:
    """Whether it may happen now; `retry_after_seconds` is 0 when it may, else the time until the next one passes."""

    allowed: bool
    remaining: int
    retry_after_seconds: float = 0.0


class RateLimiter(ABC):
    """Sliding windows: never more than `limit` acquisitions of a key in any `window_seconds`.

    Exactly `limit` pass up to 1,000; above, an acquisition may stay in its window for up to a sixtieth of it longer.
    """

    @abstractmethod
    async def acquire(self, key: str, limit: int, window_seconds: float) -> RateDecision:
        """Take one, if there is one; what is refused takes nothing.

        Raises:
            ConfigurationError: the limit or the window is not positive.
            DatabaseError: nobody knows; nothing, or one, was taken.

        """

    async def close(self) -> None:
        """Let go of the store, if there is one; a second call does nothing, and another acquisition opens it again."""


def require_limit(limit: int, window_seconds: float) -> None:
    """Refuse a limit that means nothing.

    Raises:
        ConfigurationError: names both.

    """
    if limit < 1 or not window_seconds > 0:
        raise ConfigurationError(f"a rate limit needs a positive limit and window, not {limit} in {window_seconds} s")


def resolution_seconds(limit: int, window_seconds: float) -> float:
    """Return how finely times must be told apart: 0 is exactly."""
    return 0.0 if limit <= _EXACT_UP_TO else window_seconds / _BUCKETS
