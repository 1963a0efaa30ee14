"""From what is asked for to the job that is stored."""

from portico.exceptions import ValidationError
from portico.kits.job.job_ids import JobIds
from portico.ports.job import Job
from portico.ports.job_creator import JobRequest
from portico.runtime.json_values import require_json_object


class JobFactory:
    """Checks requests and gives them ids."""

    def __init__(self, ids: JobIds, default_max_retries: int = 3) -> None:
        self._ids = ids
        self._default_max_retries = default_max_retries

    def build(self, request: JobRequest) -> Job:
        """Return the job, PENDING and not stored anywhere.

        Raises:
            ValidationError: the request is wrong; the message names the member.

        """
        _require_text("job_type", request.job_type)
        _require_text("queue_name", request.queue_name)
        _require_integer("priority", request.priority)
        require_json_object(request.payload, "payload")
        require_json_object(request.metadata, "metadata")
        return Job(
            id=self._ids.next(),
            queue_name=request.queue_name,
            job_type=request.job_type,
            payload=request.payload,
            priority=request.priority,
            max_retries=self._max_retries(request),
            scheduled_at=request.scheduled_at,
            created_by=request.created_by,
            metadata=request.metadata,
        )

    def _max_retries(self, request: JobRequest) -> int:
        if request.max_retries is None:
            return self._default_max_retries
        _require_integer("max_retries", request.max_retries)
        if request.max_retries < 0:
            raise ValidationError("max_retries: must not be negative")
        return request.max_retries


def _require_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ValidationError(f"{name}: must be a text that is not empty")


def _require_integer(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValidationError(f"{name}: must be an integer, not {type(value).__name__}")
