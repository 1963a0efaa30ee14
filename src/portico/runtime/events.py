"""An event on its way to a job."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from portico.exceptions import PorticoError

_NANOSECONDS = 1_000_000
"""In a millisecond."""
_FRACTION_BITS = 12
_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62


class FilteredError(PorticoError):
    """The event is not of interest: no job, and its source is acknowledged."""


def event_id() -> UUID:
    """Return an id for a line of the inbox, of version 7 (RFC 9562): what grows is cheap to put into an index."""
    milliseconds, fraction = divmod((time.time_ns() << _FRACTION_BITS) // _NANOSECONDS, 1 << _FRACTION_BITS)
    # not os.urandom, which lets other threads go first each time; an id is no secret
    return UUID(int=milliseconds << 80 | _VERSION | fraction << 64 | _VARIANT | random.getrandbits(62))


@dataclass(frozen=True, kw_only=True)
class Event:
    """What came from a source, before anybody decided what it means."""

    source_id: str | None = None
    """What identifies it at its source (a delivery id, a message id, a path with its time), or None."""
    body: bytes | None = field(default=None, repr=False)
    """The original bytes, kept in the inbox when the event is rejected."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers or properties worth keeping; secrets are already taken out."""
