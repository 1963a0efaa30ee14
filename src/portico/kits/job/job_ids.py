"""Ids of jobs."""

from uuid import UUID

from portico.ports.clock import Clock
from portico.runtime.uuid7 import UNITS_PER_MILLISECOND, uuid7


class JobIds:
    """Makes UUIDs of version 7 (RFC 9562); those of one instance only grow, also when the clock is set back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> UUID:
        """Return the next id."""
        milliseconds = int(self._clock.now().timestamp() * 1000)
        # the 4097th of a millisecond runs over into the next one
        self._last = max(milliseconds * UNITS_PER_MILLISECOND, self._last + 1)
        return uuid7(self._last)
