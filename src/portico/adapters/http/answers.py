"""What a caller is told; here is the one table from the error tree to HTTP."""

import math
from typing import Any

import pydantic
from fastapi import HTTPException, Response

from portico.adapters.http.job_request import Call, WebhookJobRequest
from portico.adapters.http.json_answer import JsonAnswer, raw_fields
from portico.adapters.http.problems import Refusal, Told, problem
from portico.adapters.http.rate_fields import quota_fields
from portico.exceptions import AuthorizationError, PorticoError, RateLimitError, ValidationError
from portico.ports.job import Job, JobStatus
from portico.runtime.pydantic_errors import refusal_places, refusal_text

_STATUS = (
    (ValidationError, 400, "invalid_request"),
    (AuthorizationError, 403, "job_type_not_allowed"),
    (RateLimitError, 429, "rate_limited"),
)
NOT_RUNNING_RETRY_SECONDS = 5


def refusal(error: Exception) -> Told:
    """Return the answer to a request that did not get to the creator."""
    if isinstance(error, Refusal):
        return Told.of(error)
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return Told(status, str(error), **_more(error, code))
    return creation_failure(error)


def creation_failure(error: Exception) -> Told:
    """Return the answer to a request whose job was not created; only what is wrong with the input is told."""
    if isinstance(error, Refusal):
        return Told.of(error)
    if isinstance(error, ValidationError):
        return Told(400, str(error), **_more(error, "invalid_payload"))
    if isinstance(error, pydantic.ValidationError):
        members = {"errors": refusal_places(error, "payload")}
        return Told(400, f"Invalid payload: {refusal_text(error)}", code="invalid_payload", members=members)
    return Told(500, "Job creation failed", code="job_creation_failed")


def not_running() -> Told:
    """Return the answer before the start and after the stop."""
    headers = {"Retry-After": str(NOT_RUNNING_RETRY_SECONDS)}
    return Told(503, "Webhooks are not accepted now", code="draining", headers=headers)


def _more(error: Exception, code: str) -> dict[str, Any]:
    if isinstance(error, RateLimitError):
        headers = {"Retry-After": str(max(1, math.ceil(error.retry_after_seconds)))}
        return {"code": code, "headers": headers, "members": {"violated-policies": ["job_type"]}}
    details = error.details if isinstance(error, PorticoError) else {}
    members = {"errors": details["errors"]} if "errors" in details else {}
    return {"code": details.get("code", code), "members": members}


def answer_fields(call: Call) -> dict[str, str]:
    """Return the header fields of any answer to a call."""
    fields = {call.request_id_header: call.request_id or "", "Cache-Control": "no-store"}
    if call.quota is None:
        return fields
    return {**fields, **quota_fields("job_type", *call.quota)}


def refused(answer: HTTPException, call: Call) -> Response:
    """Return the answer to a call that is told why there is no other."""
    return problem(answer, call.request_id or "", answer_fields(call))


def completed(response: Response, call: Call) -> Response:
    """Return the response with the header fields of any answer to a call."""
    # a response's `headers` would look through those that it has
    response.raw_headers += raw_fields(answer_fields(call))
    return response


def accepted(job: Job | None, request: WebhookJobRequest, fields: dict[str, str]) -> Response:
    """Return the answer to a request that has its job: a new one, or the first one of its key, answered as then."""
    # an overridden endpoint may return nothing, and a test's creator a mock
    stored = job if isinstance(job, Job) else request
    job_id = getattr(job, "id", None)
    content = {
        "job_id": None if job_id is None else str(job_id),
        "job_type": stored.job_type,
        "queue_name": stored.queue_name,
        "priority": stored.priority,
        "status": _first_status(job).value,
    }
    if isinstance(job, Job) and job.is_duplicate:
        fields["Idempotency-Replayed"] = "true"
    return JsonAnswer(content, 202, fields)


def _first_status(job: Job | None) -> JobStatus:
    if not isinstance(job, Job):
        return JobStatus.PENDING
    if not job.is_duplicate:
        return job.status
    return JobStatus.PENDING if job.scheduled_at is None else JobStatus.SCHEDULED
