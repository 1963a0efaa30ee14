"""The job that an event becomes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portico.adapters.http.sources.delivery import Delivery
from portico.exceptions import ConfigurationError
from portico.runtime.intake.names import MAX_JOB_TYPE_LENGTH

DeliveryPayload = Callable[[Delivery], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class JobMapping:
    """The job that an event becomes; what is None is as the source says.

    Args:
        job_type: names the handler.
        queue_name: the queue that the job waits in.
        priority: higher runs first.
        payload: makes the payload of a delivery.

    """

    job_type: str
    queue_name: str | None = None
    priority: int | None = None
    payload: DeliveryPayload | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.job_type, str) or not 1 <= len(self.job_type.strip()) <= MAX_JOB_TYPE_LENGTH:
            raise ConfigurationError(
                f"job_type must be a text of 1 to {MAX_JOB_TYPE_LENGTH} characters, not {self.job_type!r}"
            )
