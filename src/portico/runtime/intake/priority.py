"""How urgent a type of job is, whatever the caller says."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from portico.exceptions import ConfigurationError
from portico.ports.job_creator import JobRequest

LOWEST_PRIORITY = -32_768
HIGHEST_PRIORITY = 32_767


class PriorityMap:
    """Gives the types in the map their priority; other requests keep their own."""

    def __init__(self, priorities: Mapping[str, int]) -> None:
        for job_type, priority in priorities.items():
            _require_priority(job_type, priority)
        self._priorities = dict(priorities)

    async def __call__(self, request: JobRequest) -> JobRequest:
        """Return the request with the priority that it gets."""
        priority = self._priorities.get(request.job_type, request.priority)
        return request if priority == request.priority else replace(request, priority=priority)


def _require_priority(job_type: str, priority: Any) -> None:
    is_integer = isinstance(priority, int) and not isinstance(priority, bool)
    if not is_integer or not LOWEST_PRIORITY <= priority <= HIGHEST_PRIORITY:
        raise ConfigurationError(
            f"priority_map['{job_type}'] must be an integer from {LOWEST_PRIORITY} to {HIGHEST_PRIORITY},"
            f" not {priority!r}"
        )
