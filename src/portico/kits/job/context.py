"""What a handler may know of its run."""

import threading
from dataclasses import dataclass, field
from datetime import datetime
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
    cancelled: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)
    """Set when the run should end early; a coroutine is cancelled instead, a thread has to look."""

    @property
    def attempt(self) -> int:
        """Which run of this job this is, from 1; runs whose worker died count."""
        return self.job.retry_count + self.job.crash_count + 1

    @property
    def log(self) -> FilteringBoundLogger:
        """A structlog logger that knows the job."""
        return get_logger("portico.job").bind(**self.log_fields())

    def log_fields(self) -> dict[str, Any]:
        """Return the fields by which logs name this run."""
        return {
            "job_type": self.job.job_type,
            "job_id": str(self.job.id),
            "queue": self.job.queue_name,
            "attempt": self.attempt,
        }
