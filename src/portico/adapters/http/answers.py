"""What a caller is told; here is the one table from the error tree to HTTP."""

import math

import pydantic
from fastapi import HTTPException, Response
from fastapi.responses import JSONResponse

from portico.adapters.http.job_request import WebhookJobRequest
from portico.exceptions import AuthorizationError, RateLimitError, ValidationError
from portico.ports.job import Job, JobStatus
from portico.runtime.pydantic_errors import refusal_text

_STATUS = ((ValidationError, 400), (AuthorizationError, 403), (RateLimitError, 429))
NOT_RUNNING_RETRY_SECONDS = 5


class Told(HTTPException):
    """An answer that is counted, logged and recorded already."""


def refusal(error: Exception) -> Told:
    """Return the answer to a request that did not get to the creator."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return Told(status, str(error), headers=_headers(error))
    return creation_failure(error)


def creation_failure(error: Exception) -> Told:
    """Return the answer to a request whose job was not created; only what is wrong with the input is told."""
    if isinstance(error, ValidationError):
        return Told(400, str(error))
    if isinstance(error, pydantic.ValidationError):
        return Told(400, f"Invalid payload: {refusal_text(error)}")
    return Told(500, "Job creation failed")


def not_running() -> Told:
    """Return the answer before the start and after the stop."""
    return Told(503, "Webhooks are not accepted now", headers={"Retry-After": str(NOT_RUNNING_RETRY_SECONDS)})


def _headers(error: Exception) -> dict[str, str] | None:
    if isinstance(error, RateLimitError):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_seconds)))}
    return None


def accepted(job: Job | None, request: WebhookJobRequest) -> Response:
    """Return the answer to a request that has its job: a new one, or the first one of its key."""
    # an overridden endpoint may return nothing, and a test's creator a mock
    stored = job if isinstance(job, Job) else request
    job_id = getattr(job, "id", None)
    status = job.status if isinstance(job, Job) else JobStatus.PENDING
    content = {
        "job_id": None if job_id is None else str(job_id),
        "job_type": stored.job_type,
        "queue_name": stored.queue_name,
        "priority": stored.priority,
        "status": status.value,
    }
    return JSONResponse(content, 202)
