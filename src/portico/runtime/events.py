"""An event on its way to a job."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from portico.exceptions import PorticoError
from portico.runtime.uuid7 import UNITS_PER_MILLISECOND, uuid7

_NANOSECONDS_PER_MILLISECOND = 1_000_000


class FilteredError(PorticoError):
    """The event is not of interest: no job, and its source is acknowledged."""


def event_id() -> UUID:
    """Return an id for a line of the inbox."""
    return uuid7(time.time_ns() * UNITS_PER_MILLISECOND // _NANOSECONDS_PER_MILLISECOND)


@dataclass(frozen=True, kw_only=True)
class Event:
    """What came from a source, before anybody decided what it means."""

    source_id: str | None = None
    """What identifies it at its source (a delivery id, a message id, a path with its time), or None."""
    body: bytes | None = field(default=None, repr=False)
    """The original bytes, kept in the inbox when the event is rejected."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers or properties worth keeping; secrets are already taken out."""
