"""Noticing what other processes wrote into the file."""

import asyncio

from portico.adapters.ready_signals import ReadySignals
from portico.adapters.store.sqlite.store import SqliteStore
from portico.exceptions import DatabaseError
from portico.utils.logging import get_logger

_SHORTEST_SECONDS = 0.05
_LONGEST_SECONDS = 0.25

logger = get_logger(__name__)


async def watch(store: SqliteStore, signals: ReadySignals) -> None:
    """Wake who waits when another connection has committed; looks more often while something happens."""
    seen: int | None = None
    pause = _SHORTEST_SECONDS
    while True:
        await signals.somebody_waits()
        # the real clock: what other processes do does not wait for a test's
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_SECONDS)
        try:
            version = await store.data_version()
        except DatabaseError as error:
            logger.warning("queue_watch_failed", error=str(error))
            continue
        if version != seen:
            seen = version
            pause = _SHORTEST_SECONDS
            signals.ring_all()
