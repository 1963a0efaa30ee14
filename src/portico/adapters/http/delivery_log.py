"""The delivery log: what came over HTTP, what became of it, and bringing it again."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from portico.exceptions import ConflictError, ResourceNotFoundError
from portico.ports.event_inbox import EventInbox, EventOutcome, InboxEvent
from portico.ports.job import Job

PATH = ":path"
"""Under this name, which no header field has, an event's headers hold the path it came to."""
REPLAY_OF = ":replay-of"

_PAGE = 200


class DeliveryLog:
    """The deliveries of one webhook trigger, newest first.

    Args:
        inbox: where they are kept.
        trigger: whose they are.
        flush: writes down what waits to be written.
        replay: takes a delivery as if it came now.

    """

    def __init__(
        self,
        inbox: EventInbox,
        trigger: str,
        flush: Callable[[], Awaitable[None]],
        replay: Callable[[InboxEvent], Awaitable[Sequence[Job]]],
    ) -> None:
        self._inbox = inbox
        self._trigger = trigger
        self._flush = flush
        self._replay = replay

    async def list(
        self,
        *,
        source: str | None = None,
        outcome: EventOutcome | None = None,
        limit: int = 100,
        before: UUID | None = None,
    ) -> list[InboxEvent]:
        """List deliveries.

        Args:
            source: only those of this source, or ``"jobs"`` for calls of ``POST {prefix}/jobs``.
            outcome: only those that ended so.
            limit: how many at most.
            before: the id of the last delivery of the page before.

        """
        await self._flush()
        found: list[InboxEvent] = []
        while len(found) < limit:
            size = limit if source is None else _PAGE
            page = await self._inbox.list_events(trigger=self._trigger, outcome=outcome, limit=size, before=before)
            found += [event for event in page if source is None or source_of(event) == source]
            if len(page) < size:
                break
            before = page[-1].id
        return found[:limit]

    async def show(self, delivery_id: UUID) -> InboxEvent:
        """Return one delivery, with its body where that was kept.

        Raises:
            ResourceNotFoundError: it is unknown, another trigger's, or forgotten.

        """
        await self._flush()
        event = await self._inbox.get(delivery_id)
        if event is None or event.trigger != self._trigger:
            raise ResourceNotFoundError(f"'{self._trigger}' has no delivery {delivery_id}")
        return event

    async def replay(self, delivery_id: UUID) -> Sequence[Job]:
        """Bring a delivery again, with its bytes as they came; it makes new jobs and is a delivery of its own.

        Raises:
            ResourceNotFoundError: it is unknown, or its source is.
            ConflictError: its body was not kept: ``WebhookConfig(delivery_log="full")`` keeps it.
            HTTPException: it was refused, with what a caller would be told.

        """
        event = await self.show(delivery_id)
        if event.body is None:
            raise ConflictError(
                f"delivery {delivery_id} cannot be replayed: its body was not kept;"
                " WebhookConfig(delivery_log='full') keeps the bodies of the next ones"
            )
        return await self._replay(event)


def source_of(event: InboxEvent) -> str | None:
    """Return the name of the source that a delivery came to, or ``"jobs"``."""
    path = event.headers.get(PATH, "").rstrip("/")
    return path.rpartition("/")[2] or None


def is_of_a_source(event: InboxEvent) -> bool:
    """Tell whether a delivery came to ``{prefix}/sources/{name}``."""
    return event.headers.get(PATH, "").rstrip("/").rpartition("/")[0].endswith("/sources")
