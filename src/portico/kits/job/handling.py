"""How a worker runs the jobs of one type: settled once, and not for each job."""

from dataclasses import dataclass
from typing import Any, Self

from portico.kits.job.job_definition import JobDefinition
from portico.ports.job_handler import JobHandler


@dataclass(frozen=True, slots=True)
class Handling:
    """What runs a job, and how long it may take; without a handler the job goes back."""

    handler: JobHandler | None = None
    definition: JobDefinition[..., Any] | None = None
    """The handler, where it is a function with ``@job``."""
    timeout_seconds: float | None = None

    @classmethod
    def by(cls, handler: JobHandler, default_timeout_seconds: float | None) -> Self:
        """Return how jobs are run by this handler; a time limit of its own goes before the default."""
        definition = handler if isinstance(handler, JobDefinition) else None
        own = None if definition is None else definition.options.timeout_seconds
        return cls(handler, definition, default_timeout_seconds if own is None else own)

    @property
    def is_threaded(self) -> bool:
        """Whether the handler runs in a thread, which nothing can cancel."""
        return self.definition is not None and self.definition.is_sync


NO_HANDLING = Handling()
