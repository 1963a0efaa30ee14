"""Claims that leave nothing behind when their caller goes away."""

import asyncio
import secrets
import sqlite3
from collections.abc import Callable, Iterable
from functools import partial

from portico.adapters.job_slots import SlotRules
from portico.adapters.job_store import KeepingRules
from portico.adapters.store.sqlite import claims, job_operations
from portico.adapters.store.sqlite.claims import ClaimAnswer, ClaimRequest
from portico.adapters.store.sqlite.job_operations import Queues
from portico.adapters.store.sqlite.store import SqliteStore
from portico.exceptions import DatabaseError
from portico.utils.logging import get_logger

_FIRST_LOOKS = 100
_MORE_LOOKS = 1_000
"""How many jobs of a line that come under limits one transaction looks at."""

logger = get_logger(__name__)


class Claiming:
    """Submits claims, and gives back what one got whose caller is gone."""

    def __init__(
        self,
        store: SqliteStore,
        rules: KeepingRules,
        now: Callable[[], int],
        announce: Callable[[Iterable[str]], None],
    ) -> None:
        self._store = store
        self._rules = rules
        self._slot_rules = SlotRules(rules.limits)
        self._now = now
        self._announce = announce
        self._emptied: set[str] = set()
        """Queues whose last claim took all there was, so that the next one will hardly take much."""

    async def claim(self, queue_name: str, limit: int) -> ClaimAnswer:
        """Claim up to `limit` jobs."""
        rows = 1 if queue_name in self._emptied else limit
        answer = await self._claim(queue_name, limit, looks=_FIRST_LOOKS, rows=rows)
        while not answer.rows and not answer.is_emptied:
            answer = await self._claim(queue_name, limit, looks=_MORE_LOOKS, rows=_MORE_LOOKS)
        if answer.is_emptied:
            self._emptied.add(queue_name)
        else:
            self._emptied.discard(queue_name)
        return answer

    async def _claim(self, queue_name: str, limit: int, *, looks: int, rows: int) -> ClaimAnswer:
        def operation(connection: sqlite3.Connection) -> ClaimAnswer:
            # only now the time: whoever started before this one's turn is there to be counted
            return claims.claim(connection, self._request(queue_name, limit, looks))

        claiming = self._store.submit(operation, rows=rows)
        try:
            answer = await asyncio.shield(claiming)
        except asyncio.CancelledError:
            claiming.add_done_callback(self._give_back)
            raise
        # whoever was emptied has nothing to claim, whatever came back to it
        self._announce(answer.came_back_to - {queue_name} if answer.is_emptied else answer.came_back_to)
        return answer

    def _request(self, queue_name: str, limit: int, looks: int) -> ClaimRequest:
        now = self._now()
        return ClaimRequest(
            queue_name=queue_name,
            limit=limit,
            now=now,
            lease_end=now + round(self._rules.lease_seconds * 1_000_000),
            token=secrets.randbits(63),
            session=self._store.session.name,
            max_crashes=self._rules.max_crashes,
            rules=self._slot_rules,
            looks=looks,
        )

    def _give_back(self, claiming: asyncio.Future[ClaimAnswer]) -> None:
        if claiming.cancelled() or claiming.exception() is not None:
            return
        answer = claiming.result()
        self._announce(answer.came_back_to)
        if not answer.rows:
            return
        operation = partial(job_operations.release, rows=answer.rows, now=self._now())
        try:
            self._store.submit(operation, rows=len(answer.rows)).add_done_callback(self._given_back)
        except DatabaseError:
            # a store that was closed meanwhile has released everything that it held
            return

    def _given_back(self, releasing: asyncio.Future[Queues]) -> None:
        if releasing.cancelled():
            return
        error = releasing.exception()
        if error is not None:
            # the lease ends by itself
            logger.warning("claim_not_given_back", error=str(error))
            return
        self._announce(releasing.result())
