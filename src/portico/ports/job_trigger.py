"""What creates jobs from events outside."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class JobTrigger(ABC):
    """A source of events that become jobs.

    May be started and stopped any number of times, in any order and concurrently; after `stop` has returned it creates
    no job. It knows only the `JobCreator` port.
    """

    @abstractmethod
    async def start(self) -> None:
        """Begin creating jobs from events; a second call does nothing.

        Raises:
            ConfigurationError: the source does not exist or cannot be used as configured.
            ExternalServiceError: the source does not answer.

        """

    @abstractmethod
    async def stop(self) -> None:
        """Cease creating jobs, finish what is under way, and let go of every resource; a second call does nothing."""

    @property
    @abstractmethod
    def is_running(self) -> bool:
        """True from start to stop, also while backing off or paused; False when the trigger has failed for good."""


class TriggerState(StrEnum):
    """More than `is_running` says: a source that stopped delivering without an error must show."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    DEGRADED = "degraded"
    """It runs, and its last creation or read failed."""
    BACKOFF = "backoff"
    """The source or the store is down; it tries again by itself."""
    PAUSED = "paused"
    FAILED = "failed"
    """It gave up; only a new start helps."""


@dataclass(frozen=True)
class TriggerHealth:
    """How a trigger is.

    `errors_count` counts failed creations and failed reads of the source, not refused input; duplicates count neither
    there nor in `jobs_created_count`. Counts are since the trigger object was made.
    """

    is_running: bool
    last_job_created: datetime | None
    jobs_created_count: int
    errors_count: int
    state: TriggerState = TriggerState.STOPPED
    last_event_at: datetime | None = None
    last_error: str | None = None
    """The class and message of the last failure; None once a later event succeeded."""
    duplicates_count: int = 0
    filtered_count: int = 0
    rejected_count: int = 0
