"""How long to wait before trying again."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """Exponential back-off: attempt n (from 1) waits ``base * 2**(n-1)`` seconds, at most `cap_seconds`.

    `jitter` takes up to that share off the delay (0 none, 1 all of it), so that many who failed together do not come
    back together.
    """

    base_seconds: float = 1.0
    cap_seconds: float = 60.0
    jitter: float = 0.0
    random: Callable[[], float] = random.random

    def delay_seconds(self, attempt: int) -> float:
        """Return the wait after the `attempt`-th failure, counted from 1."""
        # 2**63 is beyond any cap, and a float cannot hold 2**1024
        delay = min(self.cap_seconds, self.base_seconds * 2.0 ** min(attempt - 1, 63))
        return delay * (1.0 - self.jitter * self.random())
