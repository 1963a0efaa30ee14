"""Finding out when others commit what was stored in their transactions."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from uuid import UUID

from portico.adapters.store.postgres.store import PostgresStore
from portico.exceptions import DatabaseError
from portico.ports.job import Job

_SHORTEST_PAUSE_SECONDS = 0.005
_PAUSE_GROWTH = 1.5
# by then waiting workers have looked for themselves
_LONGEST_WATCH_SECONDS = 1.0


class CommitWatch:
    """Looks for jobs until they are to be seen, and rings for their queues; more and more seldom, for a second.

    Ringing in the caller's own transaction would be simpler, but a notification holds a lock of the whole database from
    its commit's beginning until that is on the disk: all such transactions would be committed one after the other.
    """

    def __init__(self, store: PostgresStore, ring: Callable[[Iterable[str]], None]) -> None:
        self._store = store
        self._ring = ring
        self._until: dict[UUID, float] = {}
        self._pause = _SHORTEST_PAUSE_SECONDS
        self._watching: asyncio.Task[None] | None = None

    def note(self, jobs: Sequence[Job]) -> None:
        """Jobs were stored in a transaction that somebody else ends."""
        until = asyncio.get_running_loop().time() + _LONGEST_WATCH_SECONDS
        self._until |= {job.id: until for job in jobs}
        self._pause = _SHORTEST_PAUSE_SECONDS
        if self._until and self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="portico-postgres-commit-watch")

    async def close(self) -> None:
        """Look no more."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching

    async def _watch(self) -> None:
        try:
            while self._until:
                await asyncio.sleep(self._pause)
                self._pause *= _PAUSE_GROWTH
                await self._look()
        except DatabaseError:
            # waiting workers look for themselves
            self._until.clear()
        finally:
            self._watching = None

    async def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        rows = await self._store.fetch("job_committed", list(self._until), is_repeatable=True)
        self._ring({queue_name for _, queue_name in rows})
        seen = {row[0] for row in rows}
        self._until = {job_id: until for job_id, until in self._until.items() if job_id not in seen and until > now}
