"""What the payload of a type of job looks like."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, get_origin, runtime_checkable

import pydantic

from portico.exceptions import ConfigurationError, ValidationError
from portico.ports.job_creator import JobRequest
from portico.runtime.pydantic_errors import refusal_places, refusal_text


@runtime_checkable
class PayloadSchema(Protocol):
    """Another way to describe payloads."""

    async def validated(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Return the payload that goes on, or raise a `ValidationError` with paths and rules and without values."""
        ...


class PayloadSchemas:
    """Validates payloads by job type; the validated payload goes on, in JSON's own types.

    Args:
        schemas: from job type to a pydantic model, a dataclass, a `TypedDict` or a `PayloadSchema`. Types without one
            pass as they are.

    Raises:
        ConfigurationError: a schema is none of these; the message names its job type.

    """

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = {
            job_type: schema if isinstance(schema, PayloadSchema) else _Pydantic(job_type, schema)
            for job_type, schema in schemas.items()
        }

    async def __call__(self, request: JobRequest) -> JobRequest:
        """Refuse a payload that its schema refuses, naming paths and rules."""
        schema = self._schemas.get(request.job_type)
        if schema is None:
            return request
        payload = await schema.validated(request.payload)
        return request if payload is request.payload else replace(request, payload=payload)


class _Pydantic:
    def __init__(self, job_type: str, schema: Any) -> None:
        self._adapter = _adapter(job_type, schema)

    async def validated(self, payload: dict[str, Any]) -> dict[str, Any]:
        try:
            # as JSON, not as Python: a strict model still reads dates and UUIDs from text
            value = self._adapter.validate_json(json.dumps(payload))
        except pydantic.ValidationError as error:
            details = {"code": "payload_schema_violation", "errors": refusal_places(error, "payload")}
            raise ValidationError(f"Invalid payload: {refusal_text(error)}", details=details) from None
        return _as_json(self._adapter, value)


def _adapter(job_type: str, schema: Any) -> pydantic.TypeAdapter[Any]:
    place = f"payload_schemas['{job_type}']"
    if not isinstance(schema, type) and get_origin(schema) is None:
        message = f"{place} must be a pydantic model, a dataclass or a TypedDict, not {schema!r:.200}"
        raise ConfigurationError(message)
    try:
        return pydantic.TypeAdapter(schema)
    except pydantic.errors.PydanticUserError as error:
        message = f"{place} is no schema for pydantic: {error.message}"
        raise ConfigurationError(message, cause=error) from error


def _as_json(adapter: pydantic.TypeAdapter[Any], value: Any) -> dict[str, Any]:
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json")
    dumped: dict[str, Any] = adapter.dump_python(value, mode="json")
    return dumped
