"""What OpenAPI says of a route that reads its body itself."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from portico.adapters.http.exposed_types import with_job_types
from portico.adapters.http.webhook_config import WebhookConfig

PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                    "code": {"type": "string"},
                    "msg": {"type": "string"},
                },
                "required": ["loc", "code", "msg"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "code", "request_id"],
}
_REQUEST_ID = {"description": "The caller's own or a new one", "schema": {"type": "string"}}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 1}}}
_RATE_LIMIT = {
    "RateLimit": {"description": "What is left of the limit, where there is one", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "What the limit is", "schema": {"type": "string"}},
}
_REPLAYED = {
    "Idempotency-Replayed": {
        "description": "`true`: the answer is that of an earlier request with this Idempotency-Key",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
_LOCATION = {"Location": {"description": "Where to ask how the job is", "schema": {"type": "string"}}}
_ERRORS = {
    400: "The body is not strict JSON, or does not hold what it must",
    403: "The job type or the queue is not allowed, or the page that a browser shows is not",
    408: "The body took too long",
    413: "The body is too large",
    415: "The body is compressed in a way that is not accepted, or declared as something else than JSON",
    429: "Too many jobs of this type, or too many requests of this client",
    431: "The head of the request is too large",
    500: "The job could not be created; the request may be repeated",
    503: "The trigger is not running, or there is too much to do",
}
_UNAUTHORIZED = {401: "The caller is not known"}
_OF_KEYS = {
    409: "A request with this Idempotency-Key is under way",
    422: "The Idempotency-Key was used for another request",
}
_HEADERS = {
    401: {"WWW-Authenticate": {"description": "How to say who asks", "schema": {"type": "string"}}},
    409: _RETRY_AFTER,
    503: _RETRY_AFTER,
}
_KEY = r'^("([\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255}"|[\x21\x23-\x7e][\x21-\x7e]{0,254})$'
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


def responses(config: WebhookConfig) -> dict[int | str, dict[str, Any]]:
    """Return every answer of the route."""
    has_keys = config.idempotency != "off"
    errors = {**_ERRORS, **({} if config.auth is None else _UNAUTHORIZED), **(_OF_KEYS if has_keys else {})}
    request_id = {config.request_id_header: _REQUEST_ID}
    limits = _RATE_LIMIT if config.rate_limit_headers else {}
    headers = {**_HEADERS, 429: {**_RETRY_AFTER, **limits}}
    described: dict[int | str, dict[str, Any]] = {
        202: {
            "description": "The job is stored",
            "content": {"application/json": {"schema": _ACCEPTED_SCHEMA}},
            "headers": {
                **request_id,
                **limits,
                **(_REPLAYED if has_keys else {}),
                **(_LOCATION if config.status_auth is not None else {}),
            },
        }
    }
    for status in sorted(errors):
        described[status] = {
            "description": errors[status],
            "content": {"application/problem+json": {"schema": PROBLEM}},
            "headers": {**request_id, **headers.get(status, {})},
        }
    return described


def request(model: type[BaseModel], config: WebhookConfig, payload_schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a caller sends."""
    sent: dict[str, Any] = {"schema": model.model_json_schema()}
    if config.expose_job_types:
        sent["schema"] = with_job_types(sent["schema"], config.allowed_job_types, payload_schemas)
    else:
        sent["example"] = {"job_type": "email.send", "payload": {"recipient": "user@example.com"}}
    described: dict[str, Any] = {"requestBody": {"required": True, "content": {"application/json": sent}}}
    if config.idempotency != "off":
        described["parameters"] = [_idempotency_key(is_required=config.idempotency == "required")]
    return described


def _idempotency_key(*, is_required: bool) -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": is_required,
        "description": "Requests for a job type and queue with the same key get the first job; bare or in quotes",
        "schema": {"type": "string", "pattern": _KEY},
    }
