"""Rows to jobs, and what jobs and texts are as values of statements."""

from typing import Any
from uuid import UUID

from portico.adapters.job_store import job_from
from portico.adapters.store.postgres.connections import Row
from portico.exceptions import ValidationError
from portico.ports.job import Job, JobStatus
from portico.runtime.documents import decode

_STATUSES = {status.value: status for status in JobStatus}


def claimed_job(row: Row) -> Job:
    """Build the job of a row of ``job_claim``."""
    return job_from(
        {
            "id": UUID(int=row[0].int),
            "queue_name": row[1],
            "job_type": row[2],
            "priority": row[3],
            "status": JobStatus.RUNNING,
            "max_retries": row[4],
            "retry_count": row[5],
            "crash_count": row[6],
            "scheduled_at": row[7],
            "created_at": row[8],
            "started_at": row[9],
            "completed_at": None,
            "failed_at": None,
            "created_by": _plain(row[10]),
            "error_message": row[11],
            "payload": decode(row[12]),
            "metadata": decode(row[13]),
            "result": None,
            "is_duplicate": False,
        }
    )


def stored_job(row: Row, erased_payload: dict[str, Any] | None = None) -> Job:
    """Build the job of a row that was selected with the columns of ``job_select``; a payload may have been erased."""
    return job_from(
        {
            "id": UUID(int=row[0].int),
            "queue_name": row[1],
            "job_type": row[2],
            "priority": row[3],
            "status": _STATUSES[row[4]],
            "max_retries": row[5],
            "retry_count": row[6],
            "crash_count": row[7],
            "scheduled_at": row[8],
            "created_at": row[9],
            "started_at": row[10],
            "completed_at": row[11],
            "failed_at": row[12],
            "created_by": _plain(row[13]),
            "error_message": row[14],
            "payload": erased_payload if row[15] is None else decode(row[15]),
            "metadata": decode(row[16]),
            "result": None if row[17] is None else decode(row[17]),
            "is_duplicate": False,
        }
    )


def text(name: str, value: str) -> str:
    """Return the text of a column, or refuse what PostgreSQL cannot hold in one.

    Raises:
        ValidationError: the column is named; the value is not.

    """
    if "\0" in value:
        message = f"{name} holds a NUL character, which PostgreSQL cannot keep"
        raise ValidationError(message, details={"member": name})
    return value


def message(value: str | None) -> str | None:
    """Return an error message with NUL characters written out."""
    return None if value is None else value.replace("\0", "\\x00")


def _plain(identifier: UUID | None) -> UUID | None:
    # the driver has a class of its own, which not every encoder of JSON knows
    return None if identifier is None else UUID(int=identifier.int)
