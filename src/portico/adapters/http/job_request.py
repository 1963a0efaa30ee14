"""A job as it is asked for over HTTP."""

import asyncio
from dataclasses import dataclass
from typing import Any, Self

import pydantic
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StrictInt

from portico.adapters.http.body import read_body
from portico.adapters.http.idempotency import read_idempotency_key
from portico.adapters.http.media_type import require_json_type
from portico.exceptions import ValidationError
from portico.runtime.intake.priority import HIGHEST_PRIORITY, LOWEST_PRIORITY
from portico.runtime.intake.strict_json import decode_json
from portico.runtime.pydantic_errors import refusal_text

_QUEUE_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$"
_DECODED_ON_THE_LOOP_BYTES = 65_536


class WebhookJobRequest(BaseModel):
    """What ``POST {prefix}/jobs`` takes."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    job_type: str
    payload: dict[str, Any] = Field(repr=False)
    queue_name: str = Field(default="default", pattern=_QUEUE_NAME)
    priority: StrictInt = Field(default=0, ge=LOWEST_PRIORITY, le=HIGHEST_PRIORITY)
    _idempotency_key: str | None = PrivateAttr(default=None)

    @property
    def idempotency_key(self) -> str | None:
        """The header that came with the request; a copy of the request keeps it."""
        return self._idempotency_key

    def with_idempotency_key(self, key: str | None) -> Self:
        """Return the request as it came with this header."""
        copy = self.model_copy()
        copy._idempotency_key = key  # noqa: SLF001 - its own copy
        return copy


@dataclass(frozen=True, kw_only=True)
class JobRequestReader:
    """Reads a job request strictly: each way to be wrong is told apart, and none of them is guessed around."""

    max_body_bytes: int
    body_timeout_seconds: float

    async def read(self, request: Request) -> WebhookJobRequest:
        """Return what the caller asks for.

        Raises:
            HTTPException: the body could not be read, or is not declared as JSON.
            ValidationError: the body is not strict JSON, or not a job request.

        """
        body = await read_body(request, max_bytes=self.max_body_bytes, timeout_seconds=self.body_timeout_seconds)
        value = await _decode(body)
        # after decoding: what is not JSON is a 400, whatever it says it is
        require_json_type(request)
        key = read_idempotency_key(request)
        job_request = _job_request(value)
        return job_request if key is None else job_request.with_idempotency_key(key)


async def _decode(body: bytes) -> Any:
    if len(body) <= _DECODED_ON_THE_LOOP_BYTES:
        return decode_json(body)
    return await asyncio.to_thread(decode_json, body)


def _job_request(value: Any) -> WebhookJobRequest:
    if not isinstance(value, dict):
        raise ValidationError("Request body must be a JSON object")
    try:
        return WebhookJobRequest.model_validate(value)
    except pydantic.ValidationError as error:
        raise ValidationError(f"Invalid request: {refusal_text(error, 'request')}") from None
