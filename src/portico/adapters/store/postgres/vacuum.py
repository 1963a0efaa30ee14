"""Clearing away what jobs that ended leave behind in the table of those that did not."""

import asyncio
from contextlib import suppress

from portico.adapters.store.postgres.store import PostgresStore
from portico.exceptions import PorticoError
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_ENOUGH = 20_000


class Vacuum:
    """Vacuums by the number of jobs that left.

    The server's own autovacuum looks once a minute; in that time a busy queue leaves a million dead rows, and every
    claim has to step over them. Of several processes that begin at once, all but one are skipped.
    """

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self._left = 0
        self._running: asyncio.Task[None] | None = None

    def note(self, left: int) -> None:
        """So many jobs left the table."""
        self._left += left
        if self._left >= _ENOUGH and self._running is None:
            self._left = 0
            self._running = asyncio.create_task(self._run(), name="portico-postgres-vacuum")

    async def close(self) -> None:
        """Let what is under way be; the server ends it."""
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    async def _run(self) -> None:
        try:
            await self._store.fetch("vacuum")
        except PorticoError as error:
            # a user who does not own the table may not; the server's own comes by
            logger.debug("queue_not_vacuumed", error=str(error))
        finally:
            self._running = None
