"""Events that are recorded behind the back of whoever waits for an answer."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from portico.ports.event_inbox import EventInbox, InboxEvent
from portico.runtime.service import describe
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_MAX_WAITING = 10_000
_WRITTEN_TOGETHER = 500
_GATHER_SECONDS = 0.05


async def _a_moment() -> None:
    await asyncio.sleep(_GATHER_SECONDS)


class EventLog:
    """Hands events to an inbox in batches; they are lost with the process, and dropped when the inbox fails.

    For events whose job is durable already: a missing line about one brings nothing back. `gather` returns when it is
    time to write, by default 50 milliseconds after the first event.
    """

    def __init__(self, inbox: EventInbox, *, trigger: str, gather: Callable[[], Awaitable[object]] = _a_moment) -> None:
        self._gather = gather
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
            await self._gather()
            await self.flush()

    async def flush(self) -> None:
        """Record what waits."""
        self._has_some.clear()
        if self._overflowed:
            self._dropped(self._overflowed, "more came than could be written")
            self._overflowed = 0
        left = len(self._waiting)
        while left > 0 and self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _WRITTEN_TOGETHER))]
            left -= len(batch)
            await self._write(batch)

    async def _write(self, batch: list[InboxEvent]) -> None:
        try:
            await self._inbox.record_many(batch)
        except asyncio.CancelledError:
            # recording an event again changes nothing
            self._waiting.extendleft(reversed(batch))
            self._has_some.set()
            raise
        except Exception as error:  # noqa: BLE001 - whatever an inbox raises, the events are not to come back
            self._dropped(len(batch), describe(error))

    def _dropped(self, count: int, error: str) -> None:
        logger.warning("event_not_recorded", trigger=self._trigger, events=count, error=error)
