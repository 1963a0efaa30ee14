"""Forgetting old events."""

import random
from contextlib import AsyncExitStack
from datetime import timedelta

from typing_extensions import override

from portico.ports.clock import Clock
from portico.ports.event_inbox import EventInbox
from portico.runtime.service import Service
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_EVERY_SECONDS = 60.0


class InboxPruning(Service):
    """Keeps an inbox from growing without end; several processes on one inbox do no harm."""

    def __init__(self, inbox: EventInbox, kept: timedelta | None, *, clock: Clock | None = None) -> None:
        super().__init__(name="inbox_pruning", clock=clock)
        self._inbox = inbox
        self._kept = kept

    @override
    async def _open(self, stack: AsyncExitStack) -> None:
        if self._kept is not None:
            self._supervise(stack, "prune", self._prune)

    async def _prune(self) -> None:
        while self._kept is not None:
            # processes that started together do not prune together
            await self._clock.sleep(_EVERY_SECONDS * random.uniform(0.9, 1.1))  # noqa: S311 - no secret
            count = await self._inbox.prune(received_before=self._clock.now() - self._kept)
            if count:
                logger.debug("events_pruned", count=count)
            self._progressed("prune")
