"""Claims that leave nothing behind when their caller goes away, or when the reply to them is lost."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime

from portico.adapters.job_slots import SlotRules
from portico.adapters.job_store import KeepingRules
from portico.adapters.store.postgres.claims import ClaimAnswer, ClaimRequest, claim_without_limits
from portico.adapters.store.postgres.connections import Row
from portico.adapters.store.postgres.failures import ConnectionLostError
from portico.adapters.store.postgres.limited_claims import LimitedClaims
from portico.adapters.store.postgres.rows import text
from portico.adapters.store.postgres.store import PostgresStore
from portico.exceptions import PorticoError
from portico.ports.job_lifecycle import CANCELLED_MESSAGE
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_LARGEST_CLAIM = 10_000


class Claiming:
    """Runs claims in tasks of their own; what a caller does not take is released."""

    def __init__(self, store: PostgresStore, rules: KeepingRules, released: Callable[[Sequence[str]], None]) -> None:
        self._store = store
        self._rules = rules
        self._slots = SlotRules(rules.limits)
        self._limited = LimitedClaims(store, rules, self._slots)
        self._released = released
        self._claims: set[asyncio.Task[ClaimAnswer]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def claim(self, queue_name: str, limit: int, now: datetime | None) -> ClaimAnswer:
        """Claim up to `limit` jobs."""
        token = secrets.randbits(63)
        request = ClaimRequest(
            queue_name=text("queue_name", queue_name), wanted=min(limit, _LARGEST_CLAIM), token=token, now=now
        )
        claiming = asyncio.create_task(self._claim(request), name="portico-postgres-claim")
        self._claims.add(claiming)
        claiming.add_done_callback(self._claims.discard)
        try:
            return await asyncio.shield(claiming)
        except (asyncio.CancelledError, ConnectionLostError):
            self._start_giving_back(claiming, token)
            raise

    async def drain(self) -> None:
        """Return when no claim is under way, and what nobody took is released."""
        while self._claims or self._tasks:
            await asyncio.wait([*self._claims, *self._tasks])

    async def _claim(self, request: ClaimRequest) -> ClaimAnswer:
        if self._slots.concern(request.queue_name):
            return await self._limited.claim(request)
        return await claim_without_limits(self._store, self._rules, request)

    def _start_giving_back(self, claiming: asyncio.Task[ClaimAnswer], token: int) -> None:
        task = asyncio.create_task(self._give_back(claiming, token), name="portico-postgres-give-back")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _give_back(self, claiming: asyncio.Task[ClaimAnswer], token: int) -> None:
        await asyncio.wait({claiming})
        if not claiming.cancelled():
            # asked for, so that it is not reported as forgotten
            claiming.exception()
        try:
            rows = await release_claims(self._store, token)
        except PorticoError as error:
            # the lease ends by itself
            logger.warning("claim_not_given_back", error=str(error))
            return
        self._released([queue_name for queue_name, can_run in rows if can_run is not False])


async def release_claims(store: PostgresStore, token: int | None) -> Sequence[Row]:
    """Give back what this open store holds, or what one claim of it got."""
    return await store.fetch(
        "job_release_session", store.session, token, store.now(), CANCELLED_MESSAGE, is_repeatable=True
    )
