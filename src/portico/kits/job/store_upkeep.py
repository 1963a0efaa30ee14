"""What a worker does for the store beside running jobs."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping

from portico.exceptions import DatabaseError
from portico.kits.job.runs_in_hand import RunsInHand
from portico.kits.job.store_outage import StoreOutage
from portico.kits.job.waiting import sleep_unless
from portico.ports.clock import Clock
from portico.ports.job_queue import JobQueueAdapter, QueueCapability
from portico.utils.logging import get_logger

logger = get_logger(__name__)

PRUNE_SECONDS = 60.0
ABORT_POLL_SECONDS = 1.0


class StoreUpkeep:
    """Keeps leases, gives back what dead workers held, prunes, and hears which runs shall end.

    `progressed` is told of each round that went well, by the name of its loop.
    """

    def __init__(
        self,
        queue: JobQueueAdapter,
        runs: RunsInHand,
        *,
        clock: Clock,
        outage: StoreOutage,
        worker: str,
        progressed: Callable[[str], None],
    ) -> None:
        self._queue = queue
        self._runs = runs
        self._clock = clock
        self._outage = outage
        self._worker = worker
        self._progressed = progressed
        self.woken_for_nothing = asyncio.Event()
        """Set when the queue woke the worker and had no job: then it may be about a running one."""

    @property
    def lease_seconds(self) -> float | None:
        """How long a claim holds without a heartbeat; None when it does not end."""
        return self._queue.lease_seconds if QueueCapability.LEASES in self._queue.capabilities else None

    @property
    def loops(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What is to be kept running, by name."""
        loops: dict[str, Callable[[], Awaitable[None]]] = {"prune": self._prune}
        if QueueCapability.ABORT in self._queue.capabilities:
            loops["abort"] = self._hear_aborts
        if self.lease_seconds is not None:
            loops |= {"recover": self._recover_expired, "heartbeat": self._keep_leases}
        return loops

    async def keep_leases_of_the_rest(self) -> None:
        """Keep the leases until the last run has ended."""
        while self._runs:
            await self._clock.sleep((self.lease_seconds or 0) / 3)
            await self._beat()

    async def _keep_leases(self) -> None:
        while True:
            await self._clock.sleep((self.lease_seconds or 0) / 3)
            await self._beat()
            self._progressed("heartbeat")

    async def _beat(self) -> None:
        try:
            lost = await self._queue.heartbeat()
        except DatabaseError as error:
            # the next beat comes before the lease ends
            self._outage.begin(error)
            return
        for job_id in lost:
            self._runs.lose(job_id)

    async def _recover_expired(self) -> None:
        while True:
            count = await self._queue.requeue_expired()
            if count:
                logger.warning("jobs_recovered", count=count, worker=self._worker)
            self._progressed("recover")
            await self._clock.sleep(min((self.lease_seconds or 0) / 6, 5.0))

    async def _prune(self) -> None:
        while True:
            # workers that started together do not prune together
            await self._clock.sleep(PRUNE_SECONDS * random.uniform(0.9, 1.1))  # noqa: S311 - no secret
            count = await self._queue.prune()
            if count:
                logger.debug("jobs_pruned", count=count, worker=self._worker)
            self._progressed("prune")

    async def _hear_aborts(self) -> None:
        while True:
            self.woken_for_nothing.clear()
            await sleep_unless(self._clock, ABORT_POLL_SECONDS, self.woken_for_nothing)
            if self._runs:
                self._runs.abort(await self._queue.abort_requests())
            self._progressed("abort")
