"""Noticing what other processes wrote into the file."""

from portico.adapters.ready_signals import ReadySignals
from portico.adapters.store.sqlite.store import SqliteStore
from portico.exceptions import DatabaseError
from portico.utils.logging import get_logger

_RARELY_SECONDS = 1.0
_SHORTEST_SECONDS = 0.05
_LONGEST_SECONDS = 0.25

logger = get_logger(__name__)


async def watch(store: SqliteStore, signals: ReadySignals) -> None:
    """Wake who waits when another connection has committed.

    The bell says so at once; because it may get lost, the file itself is looked at too, now and then, and where there
    is no bell more often while something happens.
    """
    seen: int | None = None
    pause = _SHORTEST_SECONDS
    while True:
        await signals.somebody_waits()
        # the real clock: what other processes do does not wait for a test's
        has_rung = await store.doorbell.wait(_RARELY_SECONDS if store.doorbell.works else pause)
        pause = min(pause * 1.5, _LONGEST_SECONDS)
        try:
            version = store.data_version()
            if not has_rung:
                store.renew_presence()
        except (DatabaseError, OSError) as error:
            logger.warning("queue_watch_failed", error=str(error))
            continue
        if has_rung or version not in (None, seen):
            pause = _SHORTEST_SECONDS
            signals.ring_all()
        seen = version or seen
