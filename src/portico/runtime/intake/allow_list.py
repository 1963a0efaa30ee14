"""Which types of jobs a stranger may ask for, and in which queues."""

from collections.abc import Collection

from portico.exceptions import AuthorizationError
from portico.ports.job_creator import JobRequest
from portico.runtime.intake.names import shown


class AllowList:
    """Lets the types in the list pass, compared character by character; an empty list lets every type pass."""

    def __init__(self, job_types: Collection[str] | None) -> None:
        self._job_types = frozenset(job_types or ())

    async def __call__(self, request: JobRequest) -> JobRequest:
        """Refuse a type that is not in the list."""
        if self._job_types and request.job_type not in self._job_types:
            raise AuthorizationError(f"Job type '{shown(request.job_type)}' not allowed")
        return request


class AllowedQueues:
    """Lets requests for the queues in the list pass."""

    def __init__(self, queue_names: Collection[str]) -> None:
        self._queue_names = frozenset(queue_names)

    async def __call__(self, request: JobRequest) -> JobRequest:
        """Refuse a queue that is not in the list."""
        if request.queue_name not in self._queue_names:
            message = f"Queue '{shown(request.queue_name)}' not allowed"
            raise AuthorizationError(message, details={"code": "queue_not_allowed"})
        return request
