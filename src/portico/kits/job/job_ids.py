"""Ids that sort by the time they were made."""

import random
from uuid import UUID

from portico.ports.clock import Clock

_COUNTER_BITS = 12
_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62


class JobIds:
    """Makes UUIDs of version 7 (RFC 9562); those of one instance only grow, also when the clock is set back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> UUID:
        """Return the next id: milliseconds, a counter of 12 bits, 62 random bits."""
        milliseconds = int(self._clock.now().timestamp() * 1000)
        # a full counter runs over into the next millisecond
        self._last = max(milliseconds << _COUNTER_BITS, self._last + 1)
        time, counter = divmod(self._last, 1 << _COUNTER_BITS)
        # not os.urandom, which lets other threads go first each time; an id is no secret
        random_bits = random.getrandbits(62)
        return UUID(int=time << 80 | _VERSION | counter << 64 | _VARIANT | random_bits)
