"""What OpenAPI says of the routes for those who run a webhook."""

from typing import Any

from portico.adapters.http.openapi import PROBLEM
from portico.ports.event_inbox import EventOutcome
from portico.ports.job import JobStatus

JOB_TIMES = ("created_at", "scheduled_at", "started_at", "completed_at", "failed_at")
"""The times of a job that its status tells."""

_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_UUID = {"type": "string", "format": "uuid"}
_TIME = {"type": "string", "format": "date-time"}
_TIME_OR_NULL = {"type": ["string", "null"], "format": "date-time"}
_ERRORS = {
    400: "The request says something that cannot be",
    401: "The caller is not known",
    403: "The page that a browser shows is not allowed",
    404: "There is no such thing",
    408: "The body took too long",
    413: "The body is too large",
    415: "A browser does not say what it sends, or the body is compressed",
    429: "Too many requests of this client",
    431: "The head of the request is too large",
    503: "The store does not answer, or there is too much to do",
}


def health(name: str) -> dict[str, Any]:
    """Return what FastAPI takes about a route that tells health."""
    told = _answer(_object({"status": {"type": "string", "enum": ["ok", "unavailable"]}}))
    return _described(name, "Health", {200: {"description": "Well", **told}, 503: {"description": "Not now", **told}})


def job() -> dict[str, Any]:
    """Return what FastAPI takes about the status of a job."""
    schema = _object(
        {
            "job_id": _UUID,
            "job_type": _TEXT,
            "queue_name": _TEXT,
            "priority": {"type": "integer"},
            "status": {"type": "string", "enum": [status.value for status in JobStatus]},
            "retry_count": {"type": "integer"},
            **dict.fromkeys(JOB_TIMES, _TIME_OR_NULL),
        }
    )
    return _described("show_job", "How a job is", _guarded(200, "The job", schema), parameters=[_in_path("job_id")])


def deliveries() -> dict[str, Any]:
    """Return what FastAPI takes about the list of deliveries."""
    parameters = [
        _in_query("source", _TEXT, "Only those of this source, or 'jobs'"),
        _in_query("outcome", {"type": "string", "enum": [outcome.value for outcome in EventOutcome]}, "Only these"),
        _in_query("limit", {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100}, "How many at most"),
        _in_query("before", _UUID, "The id of the last delivery of the page before"),
    ]
    schema = _object({"deliveries": {"type": "array", "items": _object(_DELIVERY)}})
    return _described(
        "list_deliveries", "Deliveries, newest first", _guarded(200, "A page of them", schema), parameters=parameters
    )


def delivery() -> dict[str, Any]:
    """Return what FastAPI takes about one delivery."""
    schema = _object({**_DELIVERY, "body_base64": {**_TEXT_OR_NULL, "contentEncoding": "base64"}})
    return _described("show_delivery", "A delivery", _guarded(200, "It", schema), parameters=[_in_path("delivery_id")])


def replay() -> dict[str, Any]:
    """Return what FastAPI takes about taking a delivery again."""
    made = _object({"job_id": _UUID, "job_type": _TEXT})
    answers = _guarded(202, "Its new jobs", _object({"jobs": {"type": "array", "items": made}}))
    for status, description in (
        (409, "Its body was not kept"),
        (422, "It is refused"),
        (500, "The job could not be created"),
    ):
        answers[status] = _problem(description)
    return {
        **_described("replay_delivery", "Take a delivery again", answers, parameters=[_in_path("delivery_id")]),
        "methods": ["POST"],
        "status_code": 202,
    }


_DELIVERY = {
    "id": _UUID,
    "source": _TEXT_OR_NULL,
    "delivery_id": _TEXT_OR_NULL,
    "received_at": _TIME,
    "outcome": {"type": "string", "enum": [outcome.value for outcome in EventOutcome]},
    "reason": _TEXT_OR_NULL,
    "job_ids": {"type": "array", "items": _UUID},
    "headers": {"type": "object", "additionalProperties": _TEXT},
}


def _described(name: str, summary: str, responses: dict[int | str, Any], **operation: Any) -> dict[str, Any]:
    return {"methods": ["GET"], "name": name, "summary": summary, "responses": responses, "openapi_extra": operation}


def _guarded(status: int, description: str, schema: dict[str, Any]) -> dict[int | str, Any]:
    answers: dict[int | str, Any] = {error: _problem(text) for error, text in _ERRORS.items()}
    return {status: {"description": description, **_answer(schema)}, **answers}


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/problem+json": {"schema": PROBLEM}}}


def _answer(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": _UUID}


def _in_query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
