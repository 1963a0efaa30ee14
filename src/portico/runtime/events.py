"""An event on its way to a job."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from portico.exceptions import PorticoError


class FilteredError(PorticoError):
    """The event is not of interest: no job, and its source is acknowledged."""


def event_id() -> UUID:
    """Return an id for a line of the inbox."""
    # not uuid4, whose random bytes let other threads go first each time; an id is no secret
    return UUID(int=random.getrandbits(128), version=4)


@dataclass(frozen=True, kw_only=True)
class Event:
    """What came from a source, before anybody decided what it means."""

    source_id: str | None = None
    """What identifies it at its source (a delivery id, a message id, a path with its time), or None."""
    body: bytes | None = field(default=None, repr=False)
    """The original bytes, kept in the inbox when the event is rejected."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers or properties worth keeping; secrets are already taken out."""
