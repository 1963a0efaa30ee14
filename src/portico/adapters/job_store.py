"""What a technology does so that `StoredJobQueue` is a queue on it: jobs in batches, leases by token."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from portico.exceptions import ConfigurationError, ConflictError, ResourceNotFoundError, ValidationError
from portico.ports.job import Job, JobStatus, QueueStats

_SIGNED_64_BITS = range(-(2**63), 2**63)


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
    limit: int = 100
    after: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepingRules:
    """How long a store keeps claims, keys, and its patience with jobs that kill their worker."""

    lease_seconds: float = 60
    idempotency_seconds: float = 604_800
    max_crashes: int = 5

    def __post_init__(self) -> None:
        for name in ("lease_seconds", "idempotency_seconds", "max_crashes"):
            value = getattr(self, name)
            if not value >= 0 or (name == "lease_seconds" and value == 0):
                message = f"{name} must be positive, not {value!r}"
                raise ConfigurationError(message)


class JobStore(ABC):
    """Jobs on one technology.

    The laws of `JobQueueAdapter` hold here too. A call that is cancelled has happened or has not, but a claim
    whose caller was cancelled is given back.
    """

    @abstractmethod
    async def open(self) -> None:
        """Connect, create or migrate, and give back what dead workers of this host held."""

    @abstractmethod
    async def close(self) -> None:
        """Give back, without burning a retry, what was claimed through this store, and let go of it."""

    @abstractmethod
    async def insert(self, jobs: Sequence[Job]) -> list[Job]:
        """Store all jobs or none, as `job_lifecycle.enqueued` made them, in order; duplicates are marked."""

    @abstractmethod
    async def claim(self, queue_name: str, limit: int) -> list[Claim]:
        """Claim what is ready now, in order, after giving back what has expired."""

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


def key_of(job: Job, name: str) -> str | None:
    """Return the job's `idempotency_key` or `unique_key`; an empty one is none.

    Raises:
        ValidationError: it is not text.

    """
    key = job.metadata.get(name)
    if key is None or key == "":
        return None
    if not isinstance(key, str):
        message = f"metadata['{name}'] must be text, not {type(key).__name__}"
        raise ValidationError(message)
    return _checked_text(f"metadata['{name}']", key)


def checked(job: Job) -> Job:
    """Return the job, or refuse what not every store can hold.

    Raises:
        ValidationError: the field is named; its value is not.

    """
    for name in ("priority", "max_retries"):
        if getattr(job, name) not in _SIGNED_64_BITS:
            message = f"{name} must be a whole number of at most 64 bits"
            raise ValidationError(message)
    for name in ("queue_name", "job_type"):
        _checked_text(name, getattr(job, name))
    return job


def unique_key_taken(job_id: UUID, holder: UUID) -> ConflictError:
    """Say why a job cannot be revived."""
    message = f"job {job_id} cannot run again: the unfinished job {holder} has its unique_key"
    return ConflictError(message, details={"job_id": str(job_id), "holder": str(holder)})


def unknown_page(after: UUID) -> ResourceNotFoundError:
    """Say that the last job of the page before is gone: an empty page would look like the end."""
    return ResourceNotFoundError(f"there is no job {after} to list on from", details={"after": str(after)})


def _checked_text(name: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = f"{name} has characters that are no Unicode text"
        raise ValidationError(message, cause=error) from error
    return text
