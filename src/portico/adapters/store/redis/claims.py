"""What this process has claimed, also where nobody here got the reply."""

import asyncio
import random
from collections.abc import Iterable
from uuid import UUID

from portico.adapters.job_store import Claim, Holding, KeepingRules
from portico.adapters.ready_signals import ReadySignals
from portico.adapters.store.redis.admission import RedisAdmission
from portico.adapters.store.redis.records import job_from_record, moment_or_none
from portico.adapters.store.redis.store import RedisStore
from portico.exceptions import PorticoError
from portico.ports.job_lifecycle import CRASHED_MESSAGE
from portico.utils.logging import get_logger

logger = get_logger(__name__)


class RedisClaims:
    """Claims, remembers what it got, and calls back what it may have got without knowing.

    Each claim has a token of its own, by which the server finds what it got: for a caller that was cancelled, or a
    connection that broke before the reply.
    """

    def __init__(self, store: RedisStore, rules: KeepingRules, signals: ReadySignals) -> None:
        self._store = store
        self._lease = round(rules.lease_seconds * 1_000_000)
        self._patience = (rules.max_crashes, CRASHED_MESSAGE)
        self._admission = RedisAdmission(store, rules)
        self._signals = signals
        self._held: dict[UUID, int] = {}
        self._under_way: dict[int, str] = {}
        """Queues of claims by token."""
        self._lost: dict[int, str] = {}
        self._recalling: set[asyncio.Task[None]] = set()

    async def claim(self, queue_name: str, limit: int) -> list[Claim]:
        """Claim up to `limit` jobs; what an earlier claim lost is given back before."""
        if self._lost:
            await self._recall()
        # not os.urandom, which lets other threads go first each time; a token is no secret
        token = random.getrandbits(63)
        self._under_way[token] = queue_name
        try:
            return await self._claim(queue_name, limit, token)
        except PorticoError:
            self._lost[token] = queue_name
            raise
        except asyncio.CancelledError:
            self._lost[token] = queue_name
            self._recall_soon()
            raise
        finally:
            del self._under_way[token]

    def forget(self, holdings: Iterable[Holding]) -> None:
        """These claims are answered, or lost to somebody else."""
        for holding in holdings:
            if holding.token is not None and self._held.get(holding.job_id) == holding.token:
                del self._held[holding.job_id]

    async def take_back(self) -> list[Holding]:
        """Give back what was claimed and never got here, and return what did get here: it is the caller's now."""
        held = [Holding(job_id, token) for job_id, token in self._held.items()]
        self._held.clear()
        self._lost.update(self._under_way)
        if self._recalling:
            await asyncio.wait(self._recalling)
        await self._recall()
        return held

    async def _claim(self, queue_name: str, limit: int, token: int) -> list[Claim]:
        before = self._signals.before_claim(queue_name)
        if self._admission.concerns(queue_name):
            now, due_at, claims = await self._admission.claim(queue_name, limit, token, self._patience)
        else:
            now, due_at, *found = await self._store.run(
                "job_claim", queue_name, *self._patience, limit, self._lease, token
            )
            claims = [Claim(job_from_record(*record), token) for record in found]
        self._store.observe(now)
        if len(claims) < limit:
            self._signals.emptied(queue_name, before, moment_or_none(due_at))
        self._held.update((claim.job.id, token) for claim in claims)
        return claims

    async def _recall(self) -> None:
        for token, queue_name in tuple(self._lost.items()):
            await self._store.run("job_recall", queue_name, token, is_repeatable=True)
            self._lost.pop(token, None)

    def _recall_soon(self) -> None:
        # on the same connection as the claim, and so after it
        recalling = asyncio.create_task(self._recall(), name="portico-redis-recall")
        self._recalling.add(recalling)
        recalling.add_done_callback(self._recalled)

    def _recalled(self, recalling: asyncio.Task[None]) -> None:
        self._recalling.discard(recalling)
        if not recalling.cancelled() and (error := recalling.exception()) is not None:
            # the next claim tries again, and the lease ends by itself
            logger.warning("claim_not_given_back", error=str(error))
