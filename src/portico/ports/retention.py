"""How long what is over is kept."""

from dataclasses import dataclass, fields
from datetime import timedelta

from portico.exceptions import ConfigurationError
from portico.ports.job import JobStatus


@dataclass(frozen=True, kw_only=True)
class Retention:
    """Measured from the end of a job, and from the arrival of an event; None keeps for ever."""

    completed: timedelta | None = timedelta(days=7)
    failed: timedelta | None = timedelta(days=30)
    """FAILED and DEAD_LETTER."""
    events: timedelta | None = timedelta(days=7)

    def __post_init__(self) -> None:
        """Refuse what is no duration.

        Raises:
            ConfigurationError: the field is named.

        """
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not (isinstance(value, timedelta) and value >= timedelta(0)):
                raise ConfigurationError(f"retention.{field.name} must be a timedelta that is not negative, or None")

    def of_jobs(self) -> dict[frozenset[JobStatus], timedelta | None]:
        """Return how long jobs are kept by the status in which they ended."""
        return {
            frozenset({JobStatus.COMPLETED}): self.completed,
            frozenset({JobStatus.FAILED, JobStatus.DEAD_LETTER}): self.failed,
        }


DEFAULT_RETENTION = Retention()
