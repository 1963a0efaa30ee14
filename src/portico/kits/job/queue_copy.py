"""Moving what one queue holds to another, between any two adapters."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from portico.exceptions import ConflictError, ResourceNotFoundError, UnsupportedError, ValidationError
from portico.ports.clock import Clock
from portico.ports.job import Job, JobStatus
from portico.ports.job_queue import JobQueueAdapter, QueueCapability
from portico.runtime.clock import SystemClock
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_IDEMPOTENCY_KEY = "idempotency_key"
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
_ROUNDS = 5
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class QueueCopy:
    """What `copy_queue` found in the source, and what it did."""

    unfinished: int
    """Jobs in the source that have yet to run."""
    copied: int
    """Those that the target did not have before this call."""
    superseded: int
    """Those that are not in the target: their event has another job there, or one that ended; each is logged."""
    keys: int
    """Idempotency keys of finished jobs, held in the target now."""


@dataclass(frozen=True, kw_only=True)
class _Survey:
    """What there is: after which job each page begins, newest first, and the queues that the jobs are in."""

    starts: Sequence[UUID | None]
    newest: UUID | None
    queue_names: frozenset[str]


async def copy_queue(
    source: JobQueueAdapter,
    target: JobQueueAdapter,
    *,
    wait_seconds: float = 0.0,
    page_size: int = 500,
    clock: Clock | None = None,
) -> QueueCopy:
    """Copy every unfinished job, and hold the idempotency keys of the finished ones.

    Jobs keep their id, order, priority, time, keys, and the retries they have left. Nothing is removed from the source,
    but its queues are paused and stay so: a worker on each side would run every job twice. A call that failed or was
    killed may be repeated until one returns; jobs that the target has are left alone there. Start the workers of the
    target after that: finished jobs are not copied, and their keys come last.

    Args:
        source: needs `LIST_JOBS`; nothing creates jobs in it meanwhile.
        target: enforces keys if the source does.
        wait_seconds: how long running jobs of the source may take to end.
        page_size: how many jobs are in memory at once.
        clock: the machine's by default.

    Raises:
        ConflictError: jobs of the source still run, or are still created or deleted.
        UnsupportedError: one of the two cannot do what is needed.
        ValidationError: the target cannot hold a job; it is named.
        DatabaseError: one of the stores failed.

    """
    if QueueCapability.KEYS in source.capabilities - target.capabilities:
        raise UnsupportedError(f"{type(target).__name__} does not enforce the keys that the source holds")
    copying = _Copying(source, target, page_size)
    for _ in range(_ROUNDS):
        # raised where the job at which a page began was deleted meanwhile
        with suppress(ResourceNotFoundError):
            survey = await copying.survey()
            await _halt(source, survey.queue_names, wait_seconds, clock or SystemClock())
            if (done := await copying.copy(survey)) is not None:
                return done
    raise ConflictError("the source does not come to rest: stop what creates or deletes its jobs, and copy again")


async def _halt(source: JobQueueAdapter, queue_names: frozenset[str], wait_seconds: float, clock: Clock) -> None:
    if QueueCapability.PAUSE in source.capabilities:
        for queue_name in queue_names:
            await source.pause_queue(queue_name)
    deadline = clock.monotonic() + wait_seconds
    while running := await _count_running(source, queue_names):
        if clock.monotonic() >= deadline:
            raise ConflictError(
                f"{running} jobs of the source are running: stop its workers, or wait longer for them",
                details={"running": running},
            )
        await clock.sleep(_LOOK_SECONDS)


async def _count_running(source: JobQueueAdapter, queue_names: frozenset[str]) -> int:
    await source.requeue_expired()
    counts = [(await source.get_queue_stats(queue_name)).running_count for queue_name in queue_names]
    return sum(counts)


class _Copying:
    """Walks through the source page by page; counts are of the round under way, `copied` of all rounds."""

    def __init__(self, source: JobQueueAdapter, target: JobQueueAdapter, page_size: int) -> None:
        self._source = source
        self._target = target
        self._page_size = page_size
        self._copied = 0

    async def survey(self) -> _Survey:
        """Go through all jobs once; only where the pages begin is kept."""
        starts: list[UUID | None] = []
        names: set[str] = set()
        newest = after = None
        while page := await self._page(after):
            newest = newest or page[0].id
            names.update(job.queue_name for job in page)
            starts.append(after)
            after = page[-1].id
        return _Survey(starts=starts, newest=newest, queue_names=frozenset(names))

    async def copy(self, survey: _Survey) -> QueueCopy | None:
        """Copy what the survey has seen; None when that is not all any more."""
        unfinished, superseded = await self._copy_unfinished(survey)
        keys = await self._hold_keys(survey)
        newest = await self._source.list_jobs(limit=1)
        if newest and newest[0].id != survey.newest:
            return None
        return QueueCopy(unfinished=unfinished, copied=self._copied, superseded=superseded, keys=keys)

    async def _copy_unfinished(self, survey: _Survey) -> tuple[int, int]:
        unfinished = superseded = 0
        # the oldest first: jobs of one priority run in the order in which they come to the target
        for start in reversed(survey.starts):
            jobs = [_as_new(job) for job in reversed(await self._page(start)) if not job.status.is_final]
            stored = await self._enqueue(jobs)
            self._copied += sum(not job.is_duplicate for job in stored)
            unfinished += len(jobs)
            superseded += _count_superseded(jobs, stored)
        return unfinished, superseded

    async def _hold_keys(self, survey: _Survey) -> int:
        # behind the unfinished, and the newest first: a key that was used again stays with its last job
        keys = 0
        for start in survey.starts:
            holders = [_key_holder(job) for job in await self._page(start) if _holds_key(job)]
            keys += len(holders)
            stored = await self._enqueue(holders)
            for holder, job in zip(holders, stored, strict=True):
                if _is_holder(job) and job.id == holder.id:
                    await self._drop(job.id)
        return keys

    async def _drop(self, job_id: UUID) -> None:
        # the key outlives its job
        await self._target.cancel_job(job_id)
        await self._target.delete_job(job_id)

    async def _page(self, after: UUID | None) -> list[Job]:
        return await self._source.list_jobs(limit=self._page_size, after=after)

    async def _enqueue(self, jobs: Sequence[Job]) -> list[Job]:
        try:
            return await self._target.enqueue_many(jobs)
        except ValidationError:
            return [await self._enqueue_one(job) for job in jobs]

    async def _enqueue_one(self, job: Job) -> Job:
        try:
            return await self._target.enqueue(job)
        except ValidationError as error:
            raise ValidationError(f"job {job.id}: {error}", details={"job_id": str(job.id)}, cause=error) from error


def _as_new(job: Job) -> Job:
    if job.status is JobStatus.RUNNING:
        raise ConflictError(f"job {job.id} of the source is running: stop its workers", details={"job_id": str(job.id)})
    # a queue counts retries from 0 for a job that it has not seen
    return replace(job, max_retries=max(job.max_retries - job.retry_count, 0))


def _holds_key(job: Job) -> bool:
    return job.status.is_final and bool(job.metadata.get(_IDEMPOTENCY_KEY))


def _key_holder(job: Job) -> Job:
    """Return a job that holds the key and never runs: when the copying is killed before it is dropped, it waits."""
    key = job.metadata[_IDEMPOTENCY_KEY]
    return replace(job, payload={}, metadata={_IDEMPOTENCY_KEY: key}, scheduled_at=_NEVER)


def _is_holder(job: Job) -> bool:
    return job.scheduled_at == _NEVER and not job.payload


def _count_superseded(jobs: Sequence[Job], stored: Sequence[Job]) -> int:
    pairs = [(job, other) for job, other in zip(jobs, stored, strict=True) if not _stands_for(other, job)]
    for job, other in pairs:
        logger.warning(
            "job_copy_superseded",
            job_id=str(job.id),
            queue_name=job.queue_name,
            by=str(other.id),
            status=other.status.value,
        )
    return len(pairs)


def _stands_for(stored: Job, job: Job) -> bool:
    return stored.id == job.id and not stored.status.is_final and (not _is_holder(stored) or _is_holder(job))
