"""How a trigger asks for a job."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from portico.ports.job import Job


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """A job that is asked for and does not exist yet; the fields are those of `JobCreator.create_job`."""

    job_type: str
    payload: dict[str, Any]
    queue_name: str = "default"
    priority: int = 0
    scheduled_at: datetime | None = None
    max_retries: int | None = None
    created_by: UUID | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    def as_keywords(self) -> dict[str, Any]:
        """Return the keywords for `create_job`: always the first four, the others only where they say something."""
        keywords: dict[str, Any] = {
            "job_type": self.job_type,
            "payload": self.payload,
            "queue_name": self.queue_name,
            "priority": self.priority,
        }
        for name in ("scheduled_at", "max_retries", "created_by"):
            if (value := getattr(self, name)) is not None:
                keywords[name] = value
        if self.metadata:
            keywords["metadata"] = self.metadata
        return keywords


class JobCreator(ABC):
    """What triggers know of the rest of the system.

    Two members of `metadata` are keys. `idempotency_key` is unique per queue whatever became of its first job, and
    is held until the queue's `idempotency_seconds` (default 7 days) after that job ended, even when the job itself is
    pruned. `unique_key` is unique per queue only while its job is unfinished. A second creation under a held key
    creates nothing and returns the first job with `is_duplicate=True`; that is not an error. `partition_key` is no such
    key: jobs of one priority are claimed by turns of it, where the queue is capable of PARTITIONS.
    """

    @abstractmethod
    async def create_job(
        self, job_type: str, payload: dict[str, Any], queue_name: str = "default", priority: int = 0, **kwargs: Any
    ) -> Job:
        """Create a job; when this returns, the job is as durable as the queue makes it.

        Args:
            job_type: names the handler, for example ``"email.send"``.
            payload: a JSON object: string keys; no NaN, no infinity.
            queue_name: the queue that the job waits in.
            priority: higher runs first.
            **kwargs: `scheduled_at` (`datetime`, default now; naive means local time), `max_retries` (`int`, default
                3), `created_by` (`UUID`), `metadata` (a JSON object).

        Raises:
            TypeError: another keyword was given.
            ValidationError: `payload` or `metadata` is not JSON; the message has the path inside it. Also a
                `ValueError` when a registry is given and does not know `job_type`.
            PorticoError: the job was not created and may be asked for again.

        """

    async def get_job(self, job_id: UUID) -> Job | None:
        """Return the job as it is now, or None when it is unknown or this creator cannot look."""
        return None


class BatchJobCreator(JobCreator):
    """A creator that makes many jobs in one go.

    Triggers use it only after `isinstance`, and only for two or more jobs.
    """

    @abstractmethod
    async def create_jobs(self, requests: Sequence[JobRequest]) -> list[Job]:
        """Create all jobs or none, and return them in the order of `requests`, duplicates included.

        Raises:
            ValidationError: a request is invalid; nothing was created.
            PorticoError: nothing was created, and all may be asked for again.

        """
