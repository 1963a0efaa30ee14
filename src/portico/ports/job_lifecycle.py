"""The life of a job as pure functions: which status follows which, and what changes with it.

Every queue adapter stores exactly what these functions return (or the same in its own language; the public contract
suite compares the two). A transition that is not allowed raises `ConflictError`.

::

    enqueue ──► PENDING / SCHEDULED ──claim──► RUNNING ──acknowledge──► COMPLETED
                   ▲      ▲   │                 │ │ └──reject──► FAILED, or RETRYING / DEAD_LETTER
                   │      │   └──cancel──► FAILED │
                   │      └──────release──────────┘ (RETRYING if it has failed or crashed before)
                   └── retry_job ── FAILED, DEAD_LETTER
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from portico.exceptions import ConflictError
from portico.ports.job import Job, JobStatus

CANCELLED_MESSAGE = "Job cancelled"
CRASHED_MESSAGE = "The worker that ran this job died or lost its lease"
DEFAULT_MAX_CRASHES = 5

_WAITING = frozenset({JobStatus.PENDING, JobStatus.SCHEDULED, JobStatus.RETRYING})
_RUNNING = frozenset({JobStatus.RUNNING})
_REVIVABLE = frozenset({JobStatus.FAILED, JobStatus.DEAD_LETTER})


def in_utc(moment: datetime) -> datetime:
    """Return `moment` aware and in UTC; a naive one is the system's local time."""
    return moment.astimezone(UTC)


def enqueued(job: Job, now: datetime) -> Job:
    """Return the job as it is first stored: PENDING, or SCHEDULED when it has a `scheduled_at`."""
    scheduled_at = None if job.scheduled_at is None else in_utc(job.scheduled_at)
    # what `replace` does, in a quarter of its time: jobs come by the thousand
    stored = object.__new__(type(job))
    stored.__dict__.update(
        job.__dict__,
        status=JobStatus.PENDING if scheduled_at is None else JobStatus.SCHEDULED,
        scheduled_at=scheduled_at,
        created_at=now if job.created_at is None else in_utc(job.created_at),
        started_at=None,
        completed_at=None,
        failed_at=None,
        error_message=None,
        retry_count=0,
        crash_count=0,
        result=None,
        is_duplicate=False,
    )
    return stored


def claimed(job: Job, now: datetime) -> Job:
    """A worker took the job."""
    _require(job, _WAITING, "claim")
    return replace(job, status=JobStatus.RUNNING, started_at=now)


def completed(job: Job, now: datetime, result: dict[str, Any] | None = None) -> Job:
    """The handler succeeded."""
    _require(job, _RUNNING, "acknowledge")
    return replace(job, status=JobStatus.COMPLETED, completed_at=now, error_message=None, result=result)


def rejected(job: Job, now: datetime, *, requeue: bool, error_message: str | None = None) -> Job:
    """The handler failed: RETRYING while retries are left, then DEAD_LETTER; FAILED at once without `requeue`."""
    _require(job, _RUNNING, "reject")
    if not requeue:
        return replace(job, status=JobStatus.FAILED, failed_at=now, error_message=error_message)
    if job.retry_count >= job.max_retries:
        return replace(job, status=JobStatus.DEAD_LETTER, failed_at=now, error_message=error_message)
    return replace(
        job, status=JobStatus.RETRYING, retry_count=job.retry_count + 1, started_at=None, error_message=error_message
    )


def released(job: Job) -> Job:
    """The worker gave the job back unrun; no retry is burnt."""
    _require(job, _RUNNING, "release")
    return replace(job, status=_status_before_claim(job), started_at=None)


def crashed(job: Job, now: datetime, *, max_crashes: int = DEFAULT_MAX_CRASHES) -> Job:
    """The worker died or lost its lease: RETRYING without burning a retry, DEAD_LETTER beyond `max_crashes`."""
    _require(job, _RUNNING, "expire")
    crash_count = job.crash_count + 1
    if crash_count > max_crashes:
        return replace(
            job,
            status=JobStatus.DEAD_LETTER,
            failed_at=now,
            crash_count=crash_count,
            error_message=f"{CRASHED_MESSAGE} ({crash_count} times)",
        )
    return replace(
        job, status=JobStatus.RETRYING, started_at=None, crash_count=crash_count, error_message=CRASHED_MESSAGE
    )


def cancelled(job: Job, now: datetime) -> Job:
    """Somebody called the job off before it was claimed."""
    _require(job, _WAITING, "cancel")
    return replace(job, status=JobStatus.FAILED, failed_at=now, error_message=CANCELLED_MESSAGE)


def aborted(job: Job, now: datetime) -> Job:
    """Somebody called the job off while it ran, and it will not wait again."""
    _require(job, _RUNNING, "abort")
    return replace(job, status=JobStatus.FAILED, failed_at=now, error_message=CANCELLED_MESSAGE)


def revived(job: Job) -> Job:
    """Somebody asked for a finished failure again: PENDING at once, with its counts at 0."""
    _require(job, _REVIVABLE, "retry")
    return replace(
        job,
        status=JobStatus.PENDING,
        scheduled_at=None,
        started_at=None,
        failed_at=None,
        error_message=None,
        retry_count=0,
        crash_count=0,
    )


TRANSITIONS: dict[Callable[..., Job], frozenset[JobStatus]] = {
    claimed: _WAITING,
    completed: _RUNNING,
    rejected: _RUNNING,
    released: _RUNNING,
    crashed: _RUNNING,
    cancelled: _WAITING,
    aborted: _RUNNING,
    revived: _REVIVABLE,
}
"""From which statuses each transition starts; from any other it raises `ConflictError`."""


def _status_before_claim(job: Job) -> JobStatus:
    if job.retry_count or job.crash_count:
        return JobStatus.RETRYING
    return JobStatus.PENDING if job.scheduled_at is None else JobStatus.SCHEDULED


def _require(job: Job, allowed: frozenset[JobStatus], action: str) -> None:
    if job.status not in allowed:
        raise ConflictError(
            f"cannot {action} job {job.id}: it is {job.status.value}",
            details={"job_id": str(job.id), "status": job.status.value, "action": action},
        )
