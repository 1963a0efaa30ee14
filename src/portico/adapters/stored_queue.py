"""The queue port over any `JobStore`: what is the same for every technology, written once."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from typing_extensions import override

from portico.adapters.claim_tokens import ClaimTokens
from portico.adapters.job_checks import check_result, checked
from portico.adapters.job_slots import SlotRules
from portico.adapters.job_store import Claim, Completion, Holding, JobFilter, JobStore, KeepingRules, Rejection
from portico.exceptions import ConflictError
from portico.ports.clock import Clock
from portico.ports.job import Job, JobStatus, QueueStats
from portico.ports.job_lifecycle import enqueued, in_utc
from portico.ports.job_queue import JobQueueAdapter, QueueCapability
from portico.runtime.documents import storable
from portico.runtime.loop_lock import LoopLock

STORE_CAPABILITIES = frozenset(QueueCapability) - {
    QueueCapability.ABORT,
    QueueCapability.DURABLE,
    QueueCapability.LIMITS,
    QueueCapability.PARTITIONS,
    QueueCapability.SHARED,
    QueueCapability.TRANSACTIONS,
}


class StoredJobQueue(JobQueueAdapter):
    """Leases by job id, waiting with a deadline, opening on first use; everything else is the store's."""

    def __init__(self, jobs: JobStore, rules: KeepingRules, clock: Clock) -> None:
        self._jobs = jobs
        self._rules = rules
        self._clock = clock
        self._slot_rules = SlotRules(rules.limits)
        self._claims = ClaimTokens()
        self._is_open = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closings = 0
        self._opening = LoopLock()

    @property
    @override
    def capabilities(self) -> frozenset[QueueCapability]:
        return STORE_CAPABILITIES

    @property
    @override
    def lease_seconds(self) -> float | None:
        return self._rules.lease_seconds

    @override
    def is_limited(self, queue_name: str) -> bool:
        return self._slot_rules.concern(queue_name)

    @override
    async def initialize(self) -> None:
        if self._is_open:
            self._require_its_loop()
            return
        async with self._opening:
            if not self._is_open:
                await self._jobs.open()
                self._loop = None if self._jobs.outlives_loops else asyncio.get_running_loop()
                self._is_open = True

    @override
    async def close(self) -> None:
        async with self._opening:
            if not self._is_open:
                return
            self._require_its_loop()
            self._is_open = False
            self._closings += 1
            self._claims.settle_all()
            await self._jobs.close()

    @override
    async def enqueue(self, job: Job) -> Job:
        return (await self.enqueue_many([job]))[0]

    @override
    async def enqueue_many(self, jobs: Sequence[Job]) -> list[Job]:
        await self.initialize()
        if not jobs:
            return []
        now = self._clock.now()
        return await self._jobs.insert([self._accepted(job, now) for job in jobs])

    @override
    async def dequeue(self, queue_name: str, timeout: float = 30) -> Job | None:
        jobs = await self.dequeue_many(queue_name, 1, timeout)
        return jobs[0] if jobs else None

    @override
    async def dequeue_many(self, queue_name: str, limit: int, timeout: float = 30) -> list[Job]:
        await self.initialize()
        if limit < 1:
            return []
        closings = self._closings
        deadline = self._clock.monotonic() + timeout
        while closings == self._closings:
            claims = await self._jobs.claim(queue_name, limit)
            if closings != self._closings:
                # closing has given them back
                break
            remaining = deadline - self._clock.monotonic()
            if claims or remaining <= 0:
                return [self._keep(claim) for claim in claims]
            await self._jobs.wait([queue_name], remaining)
        return []

    @override
    async def wait_for_jobs(self, queue_names: Sequence[str], timeout: float) -> None:
        await self.initialize()
        await self._jobs.wait(queue_names, timeout)

    @override
    async def acknowledge(self, job_id: UUID, result: dict[str, Any] | None = None) -> bool:
        return (await self.acknowledge_many([job_id], None if result is None else {job_id: result}))[0]

    @override
    async def acknowledge_many(
        self, job_ids: Sequence[UUID], results: Mapping[UUID, dict[str, Any]] | None = None
    ) -> list[bool]:
        await self.initialize()
        holding = self._claims.holding
        if results:
            for result in results.values():
                check_result(result)
            completions = [Completion(holding(job_id), results.get(job_id)) for job_id in job_ids]
        else:
            completions = [Completion(holding(job_id), None) for job_id in job_ids]
        answers = await self._jobs.complete(completions)
        self._claims.settle(completion.holding for completion in completions)
        return answers

    @override
    async def reject(
        self,
        job_id: UUID,
        requeue: bool = True,
        error_message: str | None = None,
        *,
        retry_at: datetime | None = None,
    ) -> bool:
        await self.initialize()
        rejection = Rejection(
            holding=self._claims.holding(job_id),
            requeue=requeue,
            error_message=storable(error_message),
            retry_at=None if retry_at is None else in_utc(retry_at),
        )
        answer = await self._jobs.reject(rejection)
        self._claims.settle([rejection.holding])
        return answer

    @override
    async def release(self, job_id: UUID, *, available_at: datetime | None = None) -> bool:
        await self.initialize()
        holding = self._claims.holding(job_id)
        answer = await self._jobs.release(holding, None if available_at is None else in_utc(available_at))
        self._claims.settle([holding])
        return answer

    @override
    async def heartbeat(self) -> frozenset[UUID]:
        held = self._claims.held()
        if not held:
            return frozenset()
        await self.initialize()
        gone = await self._jobs.extend(held)
        # some were answered, or claimed anew, while the store looked
        now_held = self._claims.held()
        lost = frozenset(job_id for job_id in gone if now_held.get(job_id) == held[job_id])
        self._claims.lose(Holding(job_id, held[job_id]) for job_id in lost)
        return lost

    @override
    def on_lease_lost(self, listener: Callable[[UUID], None]) -> Callable[[], object]:
        return self._claims.on_lost(listener)

    @override
    async def requeue_expired(self) -> int:
        await self.initialize()
        return await self._jobs.recover()

    @override
    async def prune(self) -> int:
        await self.initialize()
        now = self._clock.now()
        deleted = 0
        for statuses, kept in self._rules.retention.of_jobs().items():
            if kept is not None:
                deleted += await self._jobs.prune_ended(statuses, now - kept)
        return deleted

    @override
    async def request_abort(self, job_id: UUID) -> bool:
        if QueueCapability.ABORT not in self.capabilities:
            return await super().request_abort(job_id)
        await self.initialize()
        return await self._jobs.request_abort(job_id)

    @override
    async def abort_requests(self) -> frozenset[UUID]:
        held = self._claims.held()
        if not held:
            return frozenset()
        await self.initialize()
        return await self._jobs.abort_requests(held)

    @override
    async def get_job(self, job_id: UUID) -> Job | None:
        await self.initialize()
        return await self._jobs.get(job_id)

    @override
    async def cancel_job(self, job_id: UUID) -> bool:
        await self.initialize()
        return await self._jobs.cancel(job_id)

    @override
    async def get_queue_stats(self, queue_name: str) -> QueueStats:
        await self.initialize()
        return await self._jobs.stats(queue_name)

    @override
    async def list_jobs(
        self,
        *,
        queue_name: str | None = None,
        status: JobStatus | None = None,
        job_type: str | None = None,
        error_contains: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int = 100,
        after: UUID | None = None,
    ) -> list[Job]:
        await self.initialize()
        which = JobFilter(
            queue_name=queue_name,
            status=status,
            job_type=job_type,
            error_contains=storable(error_contains),
            created_after=None if created_after is None else in_utc(created_after),
            created_before=None if created_before is None else in_utc(created_before),
            limit=limit,
            after=after,
        )
        return await self._jobs.list_jobs(which)

    @override
    async def retry_job(self, job_id: UUID) -> bool:
        await self.initialize()
        return await self._jobs.revive(job_id)

    @override
    async def delete_job(self, job_id: UUID) -> bool:
        await self.initialize()
        return await self._jobs.delete(job_id)

    @override
    async def pause_queue(self, queue_name: str) -> None:
        await self.initialize()
        await self._jobs.set_paused(queue_name, paused=True)

    @override
    async def resume_queue(self, queue_name: str) -> None:
        await self.initialize()
        await self._jobs.set_paused(queue_name, paused=False)

    def _require_its_loop(self) -> None:
        if self._loop is not None and asyncio.get_running_loop() is not self._loop:
            raise ConflictError(
                "this queue was opened in another event loop: open, use and close it in one, as `async with jobs:` "
                "does within a single asyncio.run()"
            )

    def _accepted(self, job: Job, now: datetime) -> Job:
        return enqueued(checked(job), now)

    def _keep(self, claim: Claim) -> Job:
        self._claims.add(claim)
        return claim.job
