"""What a handler may know of its run."""

import threading
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from structlog.typing import FilteringBoundLogger

from portico.ports.job import Job
from portico.utils.logging import get_logger


@dataclass(frozen=True)
class Context:
    """Given to a handler whose parameter is annotated with it; the lease of the job is kept without its help."""

    job: Job
    deadline: datetime | None = None
    """When the run times out, in UTC; None when it may take as long as it likes."""

    @cached_property
    def cancelled(self) -> threading.Event:
        """Set when the run should end early; a coroutine is cancelled instead, a thread has to look."""
        # made when it is first asked for: most runs never do, and it costs more than the rest of a context
        return threading.Event()

    @property
    def attempt(self) -> int:
        """Which run of this job this is, from 1; runs whose worker died count."""
        return attempt_of(self.job)

    @property
    def log(self) -> FilteringBoundLogger:
        """A structlog logger that knows the job."""
        return get_logger("portico.job").bind(**self.log_fields())

    def log_fields(self) -> dict[str, Any]:
        """Return the fields by which logs name this run."""
        return log_fields(self.job)


def attempt_of(job: Job) -> int:
    """Return which run of the job a claim of it begins, from 1."""
    return job.retry_count + job.crash_count + 1


def log_fields(job: Job) -> dict[str, Any]:
    """Return the fields by which logs name the run of a job."""
    return {
        "job_type": job.job_type,
        "job_id": str(job.id),
        "queue": job.queue_name,
        "attempt": attempt_of(job),
    }
