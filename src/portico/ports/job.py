"""A job, its status, its result, and the counts of a queue."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

MAX_RESULT_BYTES = 65_536
"""How long a result may be as JSON in UTF-8."""


class JobStatus(str, Enum):  # noqa: UP042 - the contract says `str, Enum`; their `str()` differs
    """Where a job stands. There is no other status: a cancelled job is FAILED with the message "Job cancelled"."""

    PENDING = "pending"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    RETRYING = "retrying"
    DEAD_LETTER = "dead_letter"

    @property
    def is_waiting(self) -> bool:
        """True while the job may still be claimed."""
        return self in (JobStatus.PENDING, JobStatus.SCHEDULED, JobStatus.RETRYING)

    @property
    def is_final(self) -> bool:
        """True once the job will not run again unless somebody asks for it."""
        return self in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.DEAD_LETTER)


@dataclass(frozen=True)
class Job:
    """A unit of work, as stored at one moment.

    Times are aware and in UTC on every job that a queue returns. A `Job` built by hand is PENDING whatever its
    `scheduled_at`; `JobQueueAdapter.enqueue` makes it SCHEDULED, and it stays so until it is claimed. A naive
    `scheduled_at` means the system's local time, as `datetime.astimezone` has it.
    """

    id: UUID
    queue_name: str
    job_type: str
    payload: dict[str, Any]
    priority: int = 0
    """Higher runs first; jobs of one priority run first in, first out."""
    max_retries: int = 3
    """How many times the job may run again after its first failure."""
    retry_count: int = 0
    scheduled_at: datetime | None = None
    """Not before this time."""
    started_at: datetime | None = None
    completed_at: datetime | None = None
    failed_at: datetime | None = None
    status: JobStatus = JobStatus.PENDING
    error_message: str | None = None
    created_by: UUID | None = None
    created_at: datetime | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    """JSON beside the payload; `idempotency_key` and `unique_key` in it have a meaning (see `JobCreator`)."""
    result: dict[str, Any] | None = None
    """What the handler returned, stored on completion; at most `MAX_RESULT_BYTES` (64 KiB) as JSON."""
    is_duplicate: bool = field(default=False, compare=False)
    """True only on what a second creation under the same key or id returns; never stored."""
    crash_count: int = 0
    """How many times a worker that ran this job died or lost its lease; such a run burns no retry."""


@dataclass(frozen=True)
class JobResult:
    """What a handler says of its run; `result_data` is stored as `Job.result` on success."""

    success: bool
    error: Exception | None = None
    result_data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class QueueStats:
    """How many jobs of a queue stand where; `pending_count` counts pending, scheduled and retrying ones."""

    queue_name: str
    pending_count: int = 0
    running_count: int = 0
    completed_count: int = 0
    failed_count: int = 0
    dead_letter_count: int = 0
