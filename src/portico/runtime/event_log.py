"""Events that are recorded behind the back of whoever waits for an answer."""

import asyncio
from collections import deque

from portico.ports.event_inbox import EventInbox, InboxEvent
from portico.runtime.service import describe
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_MAX_WAITING = 10_000
_GATHER_SECONDS = 0.05
_ANSWER_SECONDS = 10.0


class EventLog:
    """Hands events to an inbox in batches; they are lost with the process, and dropped when the inbox fails.

    For events whose job is durable already: a missing line about one brings nothing back.

    Args:
        inbox: where the lines go.
        trigger: whose events these are.
        gather_seconds: how long the first of a batch waits for others.
        answer_seconds: an inbox that takes longer for a batch has failed; nobody who stops waits longer for it.

    """

    def __init__(
        self,
        inbox: EventInbox,
        *,
        trigger: str,
        gather_seconds: float = _GATHER_SECONDS,
        answer_seconds: float = _ANSWER_SECONDS,
    ) -> None:
        self._gather_seconds = gather_seconds
        self._answer_seconds = answer_seconds
        self._inbox = inbox
        self._trigger = trigger
        self._waiting: deque[InboxEvent] = deque(maxlen=_MAX_WAITING)
        self._overflowed = 0
        self._has_some = asyncio.Event()

    def add(self, event: InboxEvent) -> None:
        """Put an event in line; the oldest give way when too many wait."""
        if len(self._waiting) == _MAX_WAITING:
            self._overflowed += 1
        self._waiting.append(event)
        self._has_some.set()

    async def run(self) -> None:
        """Record what comes, until cancelled; what is under way then waits again."""
        while True:
            await self._has_some.wait()
            # a write for each event would take the time that answers need
            await asyncio.sleep(self._gather_seconds)
            await self.flush()

    async def flush(self) -> bool:
        """Record what waits; False when the inbox failed, and it was dropped."""
        batch = list(self._waiting)
        self._waiting.clear()
        self._has_some.clear()
        if self._overflowed:
            self.drop(self._overflowed, "more came than could be written")
            self._overflowed = 0
        if not batch:
            return True
        limit = asyncio.timeout(self._answer_seconds)
        try:
            async with limit:
                await self._inbox.record_many(batch)
        except asyncio.CancelledError:
            # recording an event again changes nothing
            self._waiting.extendleft(reversed(batch))
            self._has_some.set()
            raise
        except Exception as error:  # noqa: BLE001 - whatever an inbox raises, the events are not to come back
            silence = f"the inbox has not answered for {self._answer_seconds:g} seconds"
            self.drop(len(batch), silence if limit.expired() else describe(error))
            return False
        return True

    def drop(self, count: int, error: str) -> None:
        """Say that so many events are not recorded."""
        logger.warning("event_not_recorded", trigger=self._trigger, events=count, error=error)
