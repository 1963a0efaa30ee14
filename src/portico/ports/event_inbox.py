"""What came from outside, and what became of it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class EventOutcome(StrEnum):
    """What became of an event."""

    ACCEPTED = "accepted"
    """A job was created."""
    DUPLICATE = "duplicate"
    """The job existed already."""
    FILTERED = "filtered"
    """Not of interest; nothing was created, and that is right."""
    REJECTED = "rejected"
    """It can never become a job; `reason` says why, and `body` is kept."""


@dataclass(frozen=True, kw_only=True)
class InboxEvent:
    """One event as it is kept."""

    id: UUID
    trigger: str
    received_at: datetime
    outcome: EventOutcome
    reason: str | None = None
    """Why it was rejected or filtered; names and rules, never values of the payload."""
    source_id: str | None = None
    """What identifies the event at its source, for example a delivery id."""
    job_ids: tuple[UUID, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers or properties, already without secrets."""
    body: bytes | None = field(default=None, repr=False)
    """The original bytes; kept for rejected events."""


class EventInbox(ABC):
    """The events of all triggers, newest first; errors are `DatabaseError`."""

    @abstractmethod
    async def initialize(self) -> None:
        """Open the store; a second call does nothing."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of it; a second call does nothing."""

    @abstractmethod
    async def record(self, event: InboxEvent) -> None:
        """Keep the event; when this returns it is as durable as the store makes it.

        An event that is recorded again keeps its place.
        """

    async def record_many(self, events: Sequence[InboxEvent]) -> None:
        """Keep the events in their order, at once where the store can; some may be kept when it raises."""
        for event in events:
            await self.record(event)

    @abstractmethod
    async def get(self, event_id: UUID) -> InboxEvent | None:
        """Return the event, or None."""

    @abstractmethod
    async def list_events(
        self,
        *,
        trigger: str | None = None,
        outcome: EventOutcome | None = None,
        limit: int = 100,
        before: UUID | None = None,
    ) -> list[InboxEvent]:
        """List events, newest first; `before` is the id of the last event of the page before."""

    @abstractmethod
    async def prune(self, *, received_before: datetime) -> int:
        """Forget older events, and return how many."""
