"""What OpenAPI says of the route of a source."""

from typing import Any

from portico.adapters.http.sources import answers
from portico.adapters.http.sources.content import BodyFormat
from portico.adapters.http.sources.source_config import WebhookSource

_PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}
_SETTLED = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ["accepted", "duplicate", "ignored"]},
        "delivery_id": {"type": ["string", "null"]},
        "jobs": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"job_id": {"type": "string", "format": "uuid"}, "job_type": {"type": "string"}},
                "required": ["job_id", "job_type"],
            },
        },
    },
    "required": ["status", "delivery_id", "jobs"],
}
_ERRORS = {
    400: "The body is not what this source sends",
    401: "The signature could not be verified",
    403: "The origin or the address is not allowed",
    408: "The body took too long",
    413: "The body is too large",
    415: "The body is compressed, or declared as something else than it is",
    429: "Too many",
    431: "The head of the request is too large",
    500: "The job could not be created; the delivery may be repeated",
    503: "Deliveries are not accepted now",
}
_MEDIA_TYPES = {
    BodyFormat.JSON: ("application/json",),
    BodyFormat.FORM: ("application/x-www-form-urlencoded",),
    BodyFormat.TEXT: ("text/plain",),
    BodyFormat.JSON_OR_FORM: ("application/json", "application/x-www-form-urlencoded"),
    BodyFormat.JSON_OR_PAYLOAD_FORM: ("application/json", "application/x-www-form-urlencoded"),
    BodyFormat.ANY: ("application/json", "text/plain"),
}


def delivery(source: WebhookSource) -> dict[str, Any]:
    """Return what FastAPI takes about the route."""
    provider = source.described_provider
    says_json = source.response is None and provider.answer in (answers.described, answers.described_as_ok)
    answered = {"content": {"application/json": {"schema": _SETTLED}}} if says_json else {}
    responses: dict[int | str, dict[str, Any]] = {200: {"description": "Taken, known already or ignored", **answered}}
    if source.response is not None:
        responses = {"2XX": {"description": "Taken, known already or ignored"}}
    elif provider.answer is answers.described:
        responses[202] = {"description": "The job is stored", **answered}
    responses |= {status: _problem(description) for status, description in _ERRORS.items()}
    media_types = source.content_types or _MEDIA_TYPES[source.sent_format]
    content: dict[str, Any] = {media_type: {} for media_type in media_types}
    return {
        "status_code": 200,
        "summary": f"Deliveries of {source.name}",
        "responses": responses,
        "openapi_extra": {"requestBody": {"required": True, "content": content}},
    }


def gone(source: WebhookSource) -> dict[str, Any]:
    """Return what FastAPI takes about the route of a source that is no more."""
    return {
        "status_code": 410,
        "summary": f"Deliveries of {source.name}",
        "deprecated": True,
        "responses": {410: _problem("The source is disabled")},
    }


def permission() -> dict[str, Any]:
    """Return what FastAPI takes about the route that a sender asks."""
    names = ("WebHook-Allowed-Origin", "WebHook-Allowed-Rate")
    granted = {name: {"schema": {"type": "string"}} for name in names}
    return {
        "summary": "Ask whether a sender may deliver",
        "responses": {
            200: {"description": "It may", "headers": granted},
            403: {"description": "It may not"},
            431: {"description": "The head of the request is too large"},
            503: {"description": "The trigger is not running"},
        },
        "openapi_extra": {
            "parameters": [
                {"name": "WebHook-Request-Origin", "in": "header", "required": True, "schema": {"type": "string"}}
            ]
        },
    }


def challenge() -> dict[str, Any]:
    """Return what FastAPI takes about the route that a hub asks."""
    names = ("hub.mode", "hub.topic", "hub.challenge")
    parameters = [{"name": name, "in": "query", "required": True, "schema": {"type": "string"}} for name in names]
    echoed = {"description": "The challenge", "content": {"text/plain": {"schema": {"type": "string"}}}}
    return {
        "summary": "Confirm a subscription",
        "responses": {
            200: echoed,
            400: {"description": "There is no challenge to repeat"},
            404: {"description": "The topic is not wanted"},
            503: {"description": "The trigger is not running"},
        },
        "openapi_extra": {"parameters": parameters},
    }


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/problem+json": {"schema": _PROBLEM}}}
