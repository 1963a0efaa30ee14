"""An event on its way to a job."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from portico.exceptions import PorticoError


class FilteredError(PorticoError):
    """The event is not of interest: no job, and its source is acknowledged."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """What came from a source, before anybody decided what it means."""

    source_id: str | None = None
    """What identifies it at its source (a delivery id, a message id, a path with its time), or None."""
    body: bytes | None = field(default=None, repr=False)
    """The original bytes, kept in the inbox when the event is rejected."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers or properties worth keeping; secrets are already taken out."""
