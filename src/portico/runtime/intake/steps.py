"""What stands between a request from outside and the creator, one concern a step."""

from collections.abc import Sequence
from typing import Protocol

from portico.ports.job_creator import JobRequest


class IntakeStep(Protocol):
    """Returns the request, changed or not, or raises from the tree; what it raises names rules, never values."""

    async def __call__(self, request: JobRequest) -> JobRequest:
        """Take one request."""
        ...


async def take_in(request: JobRequest, steps: Sequence[IntakeStep]) -> JobRequest:
    """Return what the steps, in their order, made of the request."""
    for step in steps:
        request = await step(request)
    return request
