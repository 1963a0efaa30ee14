"""Lines of the inbox about ticks that became jobs."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from portico.ports.event_inbox import EventInbox, EventOutcome, InboxEvent
from portico.ports.job import Job
from portico.runtime.event_log import EventLog
from portico.runtime.events import event_id
from portico.runtime.trigger import outcome_of

_MANY = 1_000
_TOO_MANY = 2_000


class _Lines(NamedTuple):
    # very many may wait: the collector of cycles passes over tuples of texts and numbers, and goes through lists
    at: datetime
    source_ids: tuple[str, ...]
    are_duplicates: tuple[bool, ...]
    job_ids: tuple[int, ...]

    def events(self, trigger: str) -> Iterator[InboxEvent]:
        for source_id, is_duplicate, job_id in zip(self.source_ids, self.are_duplicates, self.job_ids, strict=True):
            yield InboxEvent(
                id=event_id(),
                trigger=trigger,
                received_at=self.at,
                outcome=EventOutcome.DUPLICATE if is_duplicate else EventOutcome.ACCEPTED,
                source_id=source_id,
                job_ids=(UUID(int=job_id),),
            )


class TickLog:
    """Writes lines while no tick is due: jobs come first. When very many wait, they get their share at any time.

    As in an `EventLog`, they are lost with the process, and dropped when the inbox fails or falls behind for good.
    """

    def __init__(self, inbox: EventInbox, *, trigger: str) -> None:
        self._trigger = trigger
        self._events = EventLog(inbox, trigger=trigger)
        self._waiting: deque[_Lines] = deque()
        self._has_some = asyncio.Event()

    def add(self, at: datetime, source_ids: Sequence[str], jobs: Sequence[Job]) -> None:
        """Put a line for each job in its place behind the others."""
        if len(self._waiting) == _TOO_MANY:
            self._pass_on()
        are_duplicates = tuple(outcome_of(job) is EventOutcome.DUPLICATE for job in jobs)
        self._waiting.append(_Lines(at, tuple(source_ids), are_duplicates, tuple(job.id.int for job in jobs)))
        self._has_some.set()

    async def run(self, nothing_is_due: asyncio.Event) -> None:
        """Write what comes, until cancelled."""
        while True:
            await self._has_some.wait()
            if len(self._waiting) < _MANY:
                await nothing_is_due.wait()
            await self._write_some()

    async def flush(self) -> None:
        """Write what waits, until the inbox fails."""
        while await self._write_some() and self._waiting:
            pass
        if self._waiting:
            self._events.drop(sum(len(lines.source_ids) for lines in self._waiting), "the inbox failed before")
            self._waiting.clear()

    async def _write_some(self) -> bool:
        if self._waiting:
            self._pass_on()
        if not self._waiting:
            self._has_some.clear()
        return await self._events.flush()

    def _pass_on(self) -> None:
        for event in self._waiting.popleft().events(self._trigger):
            self._events.add(event)
