"""Jobs to what is stored of them, and back; times are whole microseconds since 1970."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from portico.adapters.job_checks import DEFAULT_MAX_PAYLOAD_BYTES, encoded_payload, key_of
from portico.adapters.job_store import job_from
from portico.adapters.store.redis.wire import Argument
from portico.adapters.stored_moments import microseconds, moment
from portico.ports.job import Job, JobStatus
from portico.runtime.documents import decode, encode

_STATUSES = {status.value.encode(): status for status in JobStatus}
_HIGHEST_PRIORITY = 2**63 - 1

# the fields of a state that this side reads, as the comment in lua/jobs.lua and its constants have them
_STATUS, _QUEUE, _TYPE, _SCHEDULED_AT = 0, 1, 2, 5
_RETRIES, _CRASHES, _, _STARTED_AT, _COMPLETED_AT, _FAILED_AT, _ERROR, _RESULT = range(8, 16)


def moment_or_none(stored: int | bytes | None) -> datetime | None:
    """Return what was stored, if anything, as a moment."""
    return None if stored is None else moment(int(stored))


def new_record(job: Job, max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES) -> tuple[Argument, ...]:
    """Return what ``job_insert`` takes of a job."""
    return (
        job.id.bytes,
        job.queue_name,
        job.job_type,
        # unsigned and the other way round: bytes in order are priorities in order
        (_HIGHEST_PRIORITY - job.priority).to_bytes(8),
        _document(job, max_payload_bytes),
        job.max_retries,
        "" if job.scheduled_at is None else microseconds(job.scheduled_at),
        key_of(job, "idempotency_key") or "",
        key_of(job, "unique_key") or "",
        key_of(job, "partition_key") or "",
    )


def job_from_record(
    job_id: bytes,
    document: bytes,
    state: Sequence[Any],
    *,
    is_duplicate: bool = False,
    payload_if_gone: dict[str, Any] | None = None,
) -> Job:
    """Build a job from what is stored of it; of one that was deleted the payload is not."""
    priority, max_retries, created_at, created_by, payload, metadata = decode(document.decode())
    error, result = state[_ERROR], state[_RESULT]
    return job_from(
        {
            "id": UUID(bytes=job_id),
            "queue_name": state[_QUEUE].decode(),
            "job_type": state[_TYPE].decode(),
            "payload": payload_if_gone if payload is None else payload,
            "priority": priority,
            "max_retries": max_retries,
            "retry_count": state[_RETRIES],
            "scheduled_at": moment_or_none(state[_SCHEDULED_AT]),
            "started_at": moment_or_none(state[_STARTED_AT]),
            "completed_at": moment_or_none(state[_COMPLETED_AT]),
            "failed_at": moment_or_none(state[_FAILED_AT]),
            "status": _STATUSES[state[_STATUS]],
            "error_message": None if error is None else error.decode(),
            "created_by": None if created_by is None else UUID(created_by),
            "created_at": moment_or_none(created_at),
            "metadata": metadata,
            "result": None if result is None else decode(result.decode()),
            "is_duplicate": is_duplicate,
            "crash_count": state[_CRASHES],
        }
    )


def without_payload(document: bytes) -> str:
    """Return what is kept of a document whose job was deleted on purpose."""
    priority, max_retries, created_at, created_by, _, metadata = decode(document.decode())
    return encode([priority, max_retries, created_at, created_by, None, metadata], "document")


def status_from(stored: bytes) -> JobStatus:
    """Return what was stored as a status."""
    return _STATUSES[stored]


def _document(job: Job, max_payload_bytes: int) -> str:
    created_at = "null" if job.created_at is None else microseconds(job.created_at)
    created_by = "null" if job.created_by is None else f'"{job.created_by.hex}"'
    metadata = encode(job.metadata, "metadata") if job.metadata else "{}"
    payload = encoded_payload(job, max_payload_bytes)
    return f"[{job.priority},{job.max_retries},{created_at},{created_by},{payload},{metadata}]"
