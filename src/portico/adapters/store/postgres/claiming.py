"""Claims that leave nothing behind when their caller goes away, or when the reply to them is lost."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from portico.adapters.job_store import Claim, KeepingRules
from portico.adapters.store.postgres.connections import Row
from portico.adapters.store.postgres.failures import ConnectionLostError
from portico.adapters.store.postgres.rows import claimed_job, text
from portico.adapters.store.postgres.store import PostgresStore
from portico.exceptions import PorticoError
from portico.ports.job_lifecycle import CANCELLED_MESSAGE, CRASHED_MESSAGE
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_PRIORITY, _SEQ, _DUE_IN_SECONDS, _CAME_BACK_TO = 3, 14, 15, 16
_LARGEST_CLAIM = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAnswer:
    """What a claim got, and what it noticed: whether it took all, when the next is due, where jobs came back to."""

    claims: list[Claim]
    is_emptied: bool
    due_in_seconds: float | None
    came_back_to: frozenset[str]


class Claiming:
    """Runs claims in tasks of their own; what a caller does not take is released."""

    def __init__(self, store: PostgresStore, rules: KeepingRules, released: Callable[[Sequence[str]], None]) -> None:
        self._store = store
        self._lease = timedelta(seconds=rules.lease_seconds)
        self._max_crashes = rules.max_crashes
        self._released = released
        self._claims: set[asyncio.Task[Sequence[Row]]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def claim(self, queue_name: str, limit: int, now: datetime | None) -> ClaimAnswer:
        """Claim up to `limit` jobs."""
        token = secrets.randbits(63)
        claiming = asyncio.create_task(
            self._fetch(text("queue_name", queue_name), limit, token, now), name="portico-postgres-claim"
        )
        self._claims.add(claiming)
        claiming.add_done_callback(self._claims.discard)
        try:
            rows = await asyncio.shield(claiming)
        except (asyncio.CancelledError, ConnectionLostError):
            self._start_giving_back(claiming, token)
            raise
        return _answer(rows, token)

    async def drain(self) -> None:
        """Return when no claim is under way, and what nobody took is released."""
        while self._claims or self._tasks:
            await asyncio.wait([*self._claims, *self._tasks])

    async def _fetch(self, queue_name: str, limit: int, token: int, now: datetime | None) -> Sequence[Row]:
        return await self._store.fetch(
            "job_claim",
            queue_name,
            min(limit, _LARGEST_CLAIM),
            token,
            self._store.session,
            self._lease,
            now,
            self._max_crashes,
            CRASHED_MESSAGE,
            CANCELLED_MESSAGE,
        )

    def _start_giving_back(self, claiming: asyncio.Task[Sequence[Row]], token: int) -> None:
        task = asyncio.create_task(self._give_back(claiming, token), name="portico-postgres-give-back")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _give_back(self, claiming: asyncio.Task[Sequence[Row]], token: int) -> None:
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
        self._released([queue_name for queue_name, can_run in rows if can_run])


async def release_claims(store: PostgresStore, token: int | None) -> Sequence[Row]:
    """Give back what this open store holds, or what one claim of it got."""
    return await store.fetch(
        "job_release_session", store.session, token, store.now(), CANCELLED_MESSAGE, is_repeatable=True
    )


def _answer(rows: Sequence[Row], token: int) -> ClaimAnswer:
    last = rows[-1] if rows and rows[-1][0] is None else None
    claimed = sorted(rows[:-1] if last is not None else rows, key=lambda row: (-row[_PRIORITY], row[_SEQ]))
    return ClaimAnswer(
        claims=[Claim(claimed_job(row), token) for row in claimed],
        is_emptied=last is not None,
        due_in_seconds=None if last is None else last[_DUE_IN_SECONDS],
        came_back_to=frozenset() if last is None else frozenset(last[_CAME_BACK_TO] or ()),
    )
