"""What OpenAPI says of a route that reads its body itself."""

from typing import Any

from pydantic import BaseModel

_ERROR_SCHEMA = {"type": "object", "properties": {"detail": {"type": "string"}}, "required": ["detail"]}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 1}}}
_ERRORS = {
    400: "The body is not strict JSON, or does not hold what it must",
    403: "The job type is not allowed",
    408: "The body took too long",
    413: "The body is too large",
    415: "The body is compressed, or declared as something else than JSON",
    429: "Too many jobs of this type",
    500: "The job could not be created; the request may be repeated",
    503: "The trigger is not running",
}
_WITH_RETRY_AFTER = frozenset({429, 503})
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Requests for a job type with the same key get the first one's job",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_ACCEPTED_SCHEMA = {
    "type": "object",
    "properties": {
        "job_id": {"type": ["string", "null"], "format": "uuid"},
        "job_type": {"type": "string"},
        "queue_name": {"type": "string"},
        "priority": {"type": "integer"},
        "status": {"type": "string"},
    },
    "required": ["job_id", "job_type", "queue_name", "priority", "status"],
}


def responses() -> dict[int | str, dict[str, Any]]:
    """Return every answer of the route."""
    described: dict[int | str, dict[str, Any]] = {202: _response("The job is stored", _ACCEPTED_SCHEMA)}
    for status, description in _ERRORS.items():
        described[status] = _response(description, _ERROR_SCHEMA)
    for status in _WITH_RETRY_AFTER:
        described[status]["headers"] = _RETRY_AFTER
    return described


def request(model: type[BaseModel]) -> dict[str, Any]:
    """Return what a caller sends."""
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}, "parameters": [_IDEMPOTENCY_KEY]}


def _response(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
