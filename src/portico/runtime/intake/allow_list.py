"""Which types of jobs a stranger may ask for."""

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
