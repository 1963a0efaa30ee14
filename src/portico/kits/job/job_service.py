"""How the rest of the system asks for jobs and after them."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from typing_extensions import override

from portico.exceptions import UnsupportedError
from portico.kits.job.job_factory import JobFactory
from portico.kits.job.job_ids import JobIds
from portico.kits.job.registry import HandlerRegistry, Handlers
from portico.ports.clock import Clock
from portico.ports.job import Job, JobStatus, QueueStats
from portico.ports.job_creator import BatchJobCreator, JobRequest
from portico.ports.job_queue import JobQueueAdapter, QueueCapability, joins_transactions
from portico.runtime.clock import SystemClock
from portico.runtime.worker_directory import WorkerDirectory
from portico.utils.logging import get_logger, is_enabled

logger = get_logger(__name__)

_LOOKS = 10


class JobService(BatchJobCreator):
    """Creates jobs on a queue.

    A `registry` says how often a type of job is retried by default; a type that it does not know is refused, unless
    `known_types_only` is False because other processes have handlers too. A `directory` is asked whether anybody
    serves the queue that a job goes to.

    ``create_job(..., connection=...)`` stores the job in the caller's own transaction, on a queue that can
    (`QueueCapability.TRANSACTIONS`): rolled back means no job.
    """

    def __init__(
        self,
        job_queue: JobQueueAdapter,
        registry: Handlers | None = None,
        clock: Clock | None = None,
        *,
        known_types_only: bool = True,
        directory: WorkerDirectory | None = None,
    ) -> None:
        self._queue = job_queue
        self._registry = None if registry is None else HandlerRegistry(registry)
        self._known_types_only = known_types_only
        self._directory = directory
        self._factory = JobFactory(JobIds(clock or SystemClock()))

    @override
    async def create_job(
        self,
        job_type: str,
        payload: dict[str, Any],
        queue_name: str = "default",
        priority: int = 0,
        **kwargs: Any,
    ) -> Job:
        connection = kwargs.pop("connection", None)
        try:
            request = JobRequest(job_type=job_type, payload=payload, queue_name=queue_name, priority=priority, **kwargs)
        except TypeError:
            raise _unknown_keyword(kwargs) from None
        built = self._build(request)
        job = await (self._queue.enqueue(built) if connection is None else self._enqueue_in(connection, built))
        await self._tell([job])
        return job

    @override
    async def create_jobs(self, requests: Sequence[JobRequest]) -> list[Job]:
        built = [self._build(request) for request in requests]
        jobs = await self._queue.enqueue_many(built)
        await self._tell(jobs)
        return jobs

    @override
    async def get_job(self, job_id: UUID) -> Job | None:
        return await self._queue.get_job(job_id)

    async def cancel_job(self, job_id: UUID) -> bool:
        """Cancel a job that still waits; False when it is running, finished or unknown."""
        return await self._queue.cancel_job(job_id)

    async def abort_job(self, job_id: UUID) -> bool:
        """Cancel a job that waits, or end one that runs; False when it is finished or unknown.

        The handler of a running job is cancelled within about a second (one in a thread is told by
        `Context.cancelled`), and the job ends FAILED, "Job cancelled". One that completes first stays COMPLETED.

        Raises:
            UnsupportedError: the job runs, and this queue cannot ask for its end.

        """
        # between two looks it may have been claimed or given back
        for _ in range(_LOOKS):
            if await self._queue.cancel_job(job_id):
                return True
            job = await self._queue.get_job(job_id)
            if job is None or job.status.is_final:
                return False
            if job.status is JobStatus.RUNNING and await self._queue.request_abort(job_id):
                return True
        return False

    async def delete_job(self, job_id: UUID) -> bool:
        """Delete a job that is not running; False when it is running or unknown. Its idempotency key stays held."""
        return await self._queue.delete_job(job_id)

    async def pause_queue(self, queue_name: str) -> None:
        """Let no job of the queue begin until `resume_queue`; jobs are still accepted, and those that run go on."""
        await self._queue.pause_queue(queue_name)

    async def resume_queue(self, queue_name: str) -> None:
        """Undo `pause_queue`."""
        await self._queue.resume_queue(queue_name)

    async def get_job_stats(self, queue_name: str) -> QueueStats:
        """Count the jobs of a queue by where they stand."""
        return await self._queue.get_queue_stats(queue_name)

    async def list_jobs(  # noqa: PLR0913 - what an operator asks for, all by name
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
        """List jobs, newest first; `after` is the id of the last job of the page before.

        All that is given must be true of a job: `error_contains` is a part of its error message, case and all, and it
        was created at `created_after` or later, and before `created_before`.
        """
        return await self._queue.list_jobs(
            queue_name=queue_name,
            status=status,
            job_type=job_type,
            error_contains=error_contains,
            created_after=created_after,
            created_before=created_before,
            limit=limit,
            after=after,
        )

    async def retry_job(self, job_id: UUID) -> bool:
        """Let a FAILED or DEAD_LETTER job run again, with its counts at 0; False when it is neither."""
        return await self._queue.retry_job(job_id)

    async def _enqueue_in(self, connection: object, job: Job) -> Job:
        queue = self._queue
        if not joins_transactions(queue):
            adapter, capability = type(queue).__name__, QueueCapability.TRANSACTIONS
            raise UnsupportedError(
                f"{adapter} does not support '{capability}': create the job without connection=",
                details={"adapter": adapter, "capability": str(capability)},
            )
        return await queue.enqueue(job, connection=connection)

    def _build(self, request: JobRequest) -> Job:
        if self._registry is None:
            return self._factory.build(request)
        if self._known_types_only and isinstance(request.job_type, str):
            self._registry.require(request.job_type)
        return self._factory.build(request, self._registry.max_retries(request.job_type))

    async def _tell(self, jobs: Sequence[Job]) -> None:
        if is_enabled(logger, logging.DEBUG):
            log = logger.bind()
            for job in jobs:
                log.debug(
                    "job_created",
                    job_id=str(job.id),
                    job_type=job.job_type,
                    queue_name=job.queue_name,
                    is_duplicate=job.is_duplicate,
                )
        if self._directory is not None:
            for queue_name in {job.queue_name for job in jobs}:
                await self._directory.check(queue_name)


def _unknown_keyword(given: Iterable[str]) -> TypeError:
    known = [field.name for field in fields(JobRequest)]
    unknown = next(name for name in given if name not in known)
    return TypeError(f"create_job() got an unexpected keyword argument '{unknown}'; it takes {', '.join(known)}")
