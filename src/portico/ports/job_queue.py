"""Where jobs wait, and how a worker takes them."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NoReturn, Protocol, TypeGuard, runtime_checkable
from uuid import UUID

from portico.exceptions import UnsupportedError
from portico.ports.job import Job, JobStatus, QueueStats

_POLL_SECONDS = 0.2


class QueueCapability(StrEnum):
    """What an adapter can beyond the nine abstract methods; ask for these, never for an adapter's class."""

    DURABLE = "durable"
    """A job that `enqueue` returned survives the death of the process."""
    SHARED = "shared"
    """Several processes may open the same queue."""
    KEYS = "keys"
    """`metadata["idempotency_key"]` and `metadata["unique_key"]` are enforced by the store."""
    LEASES = "leases"
    """A claim ends by itself: `heartbeat` extends it, `requeue_expired` gives back what a dead worker held."""
    DELAYED_RETRY = "delayed_retry"
    """`reject` takes ``retry_at=``: a RETRYING job is not claimed before it."""
    RELEASE = "release"
    LIST_JOBS = "list_jobs"
    RETRY_JOB = "retry_job"
    DELETE_JOB = "delete_job"
    PAUSE = "pause"
    TRANSACTIONS = "transactions"
    """`enqueue` takes ``connection=``: the job is stored in the caller's own transaction, gone if that rolls back."""
    ABORT = "abort"
    """`request_abort` asks for the end of a running job, and `abort_requests` tells its worker."""
    LIMITS = "limits"
    """The adapter takes ``limits=``, and holds them among all who use the store (see `portico.ports.job_limits`)."""
    PARTITIONS = "partitions"
    """Jobs of one priority are claimed by turns of their `metadata["partition_key"]`."""


class JobQueueAdapter(ABC):
    """A store of jobs.

    Order: priority descending, then first in, first out, and never before `scheduled_at`. A claim is atomic: one job
    goes to one caller, also among processes on the same store. All methods may be called concurrently; a call that is
    cancelled leaves no job RUNNING that nobody has. Times come from the store's clock.

    Errors are `DatabaseError` when the store failed (then nothing was changed, or the change is repeatable under the
    same job id) and `ConfigurationError` when it cannot be opened as configured.
    """

    @property
    def capabilities(self) -> frozenset[QueueCapability]:
        """What this adapter can beyond the nine abstract methods."""
        return frozenset()

    @property
    def lease_seconds(self) -> float | None:
        """How long a claim holds without a heartbeat; None when it holds until it is answered."""
        return None

    def is_limited(self, queue_name: str) -> bool:
        """Tell whether jobs of the queue may come under a limit.

        A claim takes what the limit counts, so a worker claims no such job before it can run it.
        """
        return False

    @abstractmethod
    async def enqueue(self, job: Job) -> Job:
        """Store the job as PENDING, or SCHEDULED when it has a `scheduled_at`, and return it as stored.

        An id that exists, or a held key (see `JobCreator`), stores nothing and returns the stored job with
        `is_duplicate=True`. Initialises the adapter when that has not happened.
        """

    @abstractmethod
    async def dequeue(self, queue_name: str, timeout: float = 30) -> Job | None:
        """Claim the next job, waiting up to `timeout` seconds; None when there is none. 0 does not wait."""

    @abstractmethod
    async def acknowledge(self, job_id: UUID, result: dict[str, Any] | None = None) -> bool:
        """Complete a running job and store its `result`.

        A job that is unknown, not running, or whose lease moved on is not changed, and False is returned.

        Raises:
            ValidationError: `result` is not JSON, or longer than `portico.ports.job.MAX_RESULT_BYTES`; nothing was
                changed.

        """

    @abstractmethod
    async def reject(self, job_id: UUID, requeue: bool = True, error_message: str | None = None) -> bool:
        """Fail a running job.

        With `requeue` and retries left it is RETRYING with `retry_count + 1` and can be claimed again at once; without
        retries left DEAD_LETTER; without `requeue` FAILED, both with `failed_at`. A job that is unknown, not running,
        or whose lease moved on is not changed, and False is returned.
        """

    @abstractmethod
    async def get_job(self, job_id: UUID) -> Job | None:
        """Return the job as it is now, or None."""

    @abstractmethod
    async def cancel_job(self, job_id: UUID) -> bool:
        """Cancel a pending, scheduled or retrying job: FAILED, "Job cancelled". False and no change otherwise."""

    @abstractmethod
    async def get_queue_stats(self, queue_name: str) -> QueueStats:
        """Count the stored jobs of a queue; an unknown queue has none."""

    @abstractmethod
    async def initialize(self) -> None:
        """Connect, and create or migrate the store. A second call does nothing.

        Raises:
            ConfigurationError: the store cannot be opened as configured, or is newer than this code.
            DatabaseError: it does not answer, or is damaged.

        """

    @abstractmethod
    async def close(self) -> None:
        """Write what is buffered and let go of every resource. A second call does nothing."""

    # What follows has a default, so that an adapter with the nine methods above works.

    async def enqueue_many(self, jobs: Sequence[Job]) -> list[Job]:
        """Store the jobs and return them in order, as `enqueue` would one by one."""
        return [await self.enqueue(job) for job in jobs]

    async def dequeue_many(self, queue_name: str, limit: int, timeout: float = 30) -> list[Job]:
        """Claim up to `limit` jobs in order, waiting up to `timeout` seconds for the first."""
        jobs: list[Job] = []
        while len(jobs) < limit:
            job = await self.dequeue(queue_name, timeout=0 if jobs else timeout)
            if job is None:
                break
            jobs.append(job)
        return jobs

    async def acknowledge_many(
        self, job_ids: Sequence[UUID], results: Mapping[UUID, dict[str, Any]] | None = None
    ) -> list[bool]:
        """Complete running jobs; `results` are by job id, the answers in the order of `job_ids`.

        Raises:
            ValidationError: as `acknowledge`; no job was changed.

        """
        stored = results or {}
        return [await self.acknowledge(job_id, stored.get(job_id)) for job_id in job_ids]

    async def wait_for_jobs(self, queue_names: Sequence[str], timeout: float) -> None:
        """Return when a job may be claimable in one of the queues, or after `timeout` seconds: a hint only."""
        await asyncio.sleep(min(timeout, _POLL_SECONDS))

    async def heartbeat(self) -> frozenset[UUID]:
        """Extend every lease held through this adapter, and return the ids of the jobs whose lease was lost."""
        return frozenset()

    def on_lease_lost(self, listener: Callable[[UUID], None]) -> Callable[[], object]:
        """Tell `listener` of each claim through this adapter that ended unanswered; the returned function ends that.

        Several workers may share an adapter, and `heartbeat` tells only its caller: so everybody who listens is called,
        with the job's id, when a heartbeat finds a lease lost and when the job is claimed anew through this adapter,
        before the new claim is returned.
        """
        return lambda: None

    async def requeue_expired(self) -> int:
        """Give back the jobs whose worker died or lost its lease, and return how many."""
        return 0

    async def prune(self) -> int:
        """Delete some of what was kept long enough, and return how many jobs; workers call it every minute."""
        return 0

    async def request_abort(self, job_id: UUID) -> bool:
        """Ask for the end of a running job; False and no change when it is not running.

        Its worker hears of it by `abort_requests` and rejects the job. From now on the job waits no more: where a
        retry, a release or the end of its lease would let it wait again, it is FAILED, "Job cancelled", instead. It
        may still be completed.
        """
        self._unsupported(QueueCapability.ABORT)

    async def abort_requests(self) -> frozenset[UUID]:
        """Return the running jobs, claimed through this adapter, that somebody asked to abort."""
        return frozenset()

    async def release(self, job_id: UUID, *, available_at: datetime | None = None) -> bool:
        """Give a running job back unrun, in its old place and without burning a retry; False as in `acknowledge`.

        It is not claimed again before `available_at` (default at once).
        """
        self._unsupported(QueueCapability.RELEASE)

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
        self._unsupported(QueueCapability.LIST_JOBS)

    async def retry_job(self, job_id: UUID) -> bool:
        """Make a FAILED or DEAD_LETTER job PENDING with its counts at 0; False when it is neither.

        Raises:
            ConflictError: another unfinished job holds its `unique_key`.

        """
        self._unsupported(QueueCapability.RETRY_JOB)

    async def delete_job(self, job_id: UUID) -> bool:
        """Delete a job that is not running; False when it is running or unknown. Its idempotency key stays held."""
        self._unsupported(QueueCapability.DELETE_JOB)

    async def pause_queue(self, queue_name: str) -> None:
        """Let no job of the queue be claimed until `resume_queue`; jobs are still accepted."""
        self._unsupported(QueueCapability.PAUSE)

    async def resume_queue(self, queue_name: str) -> None:
        """Undo `pause_queue`."""
        self._unsupported(QueueCapability.PAUSE)

    def _unsupported(self, capability: QueueCapability) -> NoReturn:
        adapter = type(self).__name__
        raise UnsupportedError(
            f"{adapter} does not support '{capability}'", details={"adapter": adapter, "capability": str(capability)}
        )


@runtime_checkable
class DelayedRetryQueue(Protocol):
    """The form of `reject` that comes with `QueueCapability.DELAYED_RETRY`."""

    async def reject(
        self,
        job_id: UUID,
        requeue: bool = True,
        error_message: str | None = None,
        *,
        retry_at: datetime | None = None,
    ) -> bool:
        """Fail a running job; RETRYING, it is not claimed before `retry_at`."""
        ...


def delays_retries(queue: object) -> TypeGuard[DelayedRetryQueue]:
    """Tell whether `reject` of this queue takes ``retry_at=``."""
    return isinstance(queue, JobQueueAdapter) and QueueCapability.DELAYED_RETRY in queue.capabilities


@runtime_checkable
class TransactionalQueue(Protocol):
    """The form of `enqueue` that comes with `QueueCapability.TRANSACTIONS`."""

    async def enqueue(self, job: Job, *, connection: object | None = None) -> Job:
        """Store the job in the transaction of `connection`; until its commit nobody else sees it."""
        ...


def joins_transactions(queue: object) -> TypeGuard[TransactionalQueue]:
    """Tell whether `enqueue` of this queue takes ``connection=``."""
    return isinstance(queue, JobQueueAdapter) and QueueCapability.TRANSACTIONS in queue.capabilities
