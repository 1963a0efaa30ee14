"""What a technology does so that `StoredJobQueue` is a queue on it: jobs in batches, leases by token."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from portico.adapters.job_checks import DEFAULT_MAX_PAYLOAD_BYTES
from portico.adapters.job_slots import checked_limits
from portico.exceptions import ConfigurationError, ConflictError, ResourceNotFoundError
from portico.ports.job import Job, JobStatus, QueueStats
from portico.ports.job_limits import JobLimit
from portico.ports.retention import DEFAULT_RETENTION, Retention

_POSITIVE = ("lease_seconds", "max_payload_bytes")


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that was claimed, and the token that an answer to it must show."""

    job: Job
    token: int


@dataclass(frozen=True, slots=True)
class Holding:
    """A job that a caller answers for; without a token (another process, an operator) any claim is meant."""

    job_id: UUID
    token: int | None


@dataclass(frozen=True, slots=True)
class Completion:
    """A handler's success."""

    holding: Holding
    result: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A handler's failure."""

    holding: Holding
    requeue: bool
    error_message: str | None
    retry_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs to list; None takes all."""

    queue_name: str | None = None
    status: JobStatus | None = None
    job_type: str | None = None
    error_contains: str | None = None
    created_after: datetime | None = None
    """From this moment on."""
    created_before: datetime | None = None
    """Up to this moment, which is not among them."""
    limit: int = 100
    after: UUID | None = None

    def finds(self, job: Job) -> bool:
        """Tell whether all that is asked for is true of the job; its place in the list is not looked at."""
        return (
            self.queue_name in (None, job.queue_name)
            and self.status in (None, job.status)
            and self.job_type in (None, job.job_type)
            and self._finds_text(job)
            and self._finds_time(job)
        )

    def _finds_text(self, job: Job) -> bool:
        return self.error_contains is None or self.error_contains in (job.error_message or "")

    def _finds_time(self, job: Job) -> bool:
        if self.created_after is None and self.created_before is None:
            return True
        return (
            job.created_at is not None
            and (self.created_after is None or job.created_at >= self.created_after)
            and (self.created_before is None or job.created_at < self.created_before)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepingRules:
    """What a store takes, how long it keeps what, and its patience with jobs that kill their worker."""

    lease_seconds: float = 60
    idempotency_seconds: float = 604_800
    max_crashes: int = 5
    max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES
    retention: Retention = DEFAULT_RETENTION
    limits: Sequence[JobLimit] = ()
    """How many jobs may run or start, among all who use the store; `job_slots.SlotRules` reads them."""

    def __post_init__(self) -> None:
        for name in ("lease_seconds", "idempotency_seconds", "max_crashes", "max_payload_bytes"):
            value = getattr(self, name)
            if not value >= 0 or (name in _POSITIVE and value == 0):
                raise ConfigurationError(f"{name} must be positive, not {value!r}")
        if not isinstance(self.retention, Retention):
            raise ConfigurationError(f"retention must be a Retention, not {type(self.retention).__name__}")
        object.__setattr__(self, "limits", checked_limits(self.limits))


class JobStore(ABC):
    """Jobs on one technology.

    The laws of `JobQueueAdapter` hold here too. A call that is cancelled has happened or has not, but a claim
    whose caller was cancelled is given back.
    """

    outlives_loops: ClassVar[bool] = False
    """Whether it may be used in one event loop after another; connections and threads belong to one."""

    @abstractmethod
    async def open(self) -> None:
        """Connect, create or migrate, and give back what dead workers of this host held."""

    @abstractmethod
    async def close(self) -> None:
        """Give back, without burning a retry, what was claimed through this store, and let go of it."""

    @abstractmethod
    async def insert(self, jobs: Sequence[Job]) -> list[Job]:
        """Store all jobs or none, as `job_lifecycle.enqueued` made them, in order; duplicates are marked.

        Raises:
            ValidationError: `encoded_payload` refuses one, or a key is not text.

        """

    @abstractmethod
    async def claim(self, queue_name: str, limit: int) -> list[Claim]:
        """Claim what is ready now, in order, after giving back what has expired.

        What the rules' limits have no room for is passed over, and parked: no later claim looks at it before there may
        be room. Nobody ever sees more jobs RUNNING than a limit allows. A slot is free as soon as the run that had it
        ended, however that happened, and then those parked for it are claimable again, in their old place; one that
        counts starts is free when its window is over.

        Jobs of one priority go by turns of their `metadata["partition_key"]`, those without one having turns like the
        jobs of one partition; without any they go first in, first out.
        """

    @abstractmethod
    async def complete(self, completions: Sequence[Completion]) -> list[bool]:
        """Complete running jobs; False for each that does not match."""

    @abstractmethod
    async def reject(self, rejection: Rejection) -> bool:
        """Fail a running job; False when it does not match."""

    @abstractmethod
    async def release(self, holding: Holding, available_at: datetime | None) -> bool:
        """Give a running job back unrun; False when it does not match."""

    @abstractmethod
    async def extend(self, held: Mapping[UUID, int]) -> frozenset[UUID]:
        """Start the leases anew, and return those that are held no longer."""

    @abstractmethod
    async def recover(self) -> int:
        """Give back the jobs whose lease expired or whose worker is known to be dead."""

    async def request_abort(self, _job_id: UUID) -> bool:
        """Note that a running job shall end; False when it is not running. Only for queues with ABORT.

        A noted job waits no more: instead of what would put it back in line (`reject`, `release`, `recover`, `close`),
        `job_lifecycle.aborted` happens to it. The note goes with the run.
        """
        return False

    async def abort_requests(self, _held: Mapping[UUID, int]) -> frozenset[UUID]:
        """Return those of the held jobs, still under these tokens, that are noted."""
        return frozenset()

    async def prune_ended(self, _statuses: frozenset[JobStatus], _ended_before: datetime) -> int:
        """Delete the jobs that ended like this before the moment, and return how many.

        In small transactions, so that nobody waits for it; their idempotency keys stay held.
        """
        return 0

    @abstractmethod
    async def get(self, job_id: UUID) -> Job | None:
        """Return the job, or None."""

    @abstractmethod
    async def cancel(self, job_id: UUID) -> bool:
        """Cancel a waiting job."""

    @abstractmethod
    async def revive(self, job_id: UUID) -> bool:
        """Make a failed job PENDING; `ConflictError` when its unique key is held by another."""

    @abstractmethod
    async def delete(self, job_id: UUID) -> bool:
        """Delete a job that is not running; its idempotency key stays held."""

    @abstractmethod
    async def list_jobs(self, which: JobFilter) -> list[Job]:
        """List jobs, newest first."""

    @abstractmethod
    async def stats(self, queue_name: str) -> QueueStats:
        """Count the jobs of a queue."""

    @abstractmethod
    async def set_paused(self, queue_name: str, *, paused: bool) -> None:
        """Stop or allow claims of a queue."""

    @abstractmethod
    async def wait(self, queue_names: Sequence[str], timeout: float) -> None:
        """Return when a claim of one of the queues may find something, or after `timeout` seconds."""


def job_from(fields: dict[str, Any]) -> Job:
    """Build a job from all of its fields without checking them: a third of the constructor's time."""
    job = object.__new__(Job)
    job.__dict__.update(fields)
    return job


def with_fields(job: Job, **changes: Any) -> Job:
    """Do what `dataclasses.replace` does, in a fifth of its time."""
    return job_from({**job.__dict__, **changes})


def unique_key_taken(job_id: UUID, holder: UUID) -> ConflictError:
    """Say why a job cannot be revived."""
    return ConflictError(
        f"job {job_id} cannot run again: the unfinished job {holder} has its unique_key",
        details={"job_id": str(job_id), "holder": str(holder)},
    )


def unknown_page(after: UUID) -> ResourceNotFoundError:
    """Say that the last job of the page before is gone: an empty page would look like the end."""
    return ResourceNotFoundError(f"there is no job {after} to list on from", details={"after": str(after)})
