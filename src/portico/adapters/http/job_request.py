"""A job as it is asked for over HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self
from urllib.parse import quote

import pydantic
from pydantic import BaseModel, ConfigDict, Field, StrictInt, create_model
from typing_extensions import override

from portico.exceptions import ValidationError
from portico.ports.rate_limiter import RateDecision
from portico.runtime.intake.names import MAX_JOB_TYPE_LENGTH, QUEUE_NAME
from portico.runtime.intake.priority import HIGHEST_PRIORITY, LOWEST_PRIORITY
from portico.runtime.pydantic_errors import refusal_places, refusal_text
from portico.runtime.quotas import Quota


@dataclass(slots=True)
class Call:
    """The HTTP call that a request came with; copies of the request share it."""

    request_id: str | None = None
    idempotency_key: str | None = None
    principal: str | None = None
    """Who asks, where anybody is asked who they are."""
    decoded: dict[str, Any] | None = None
    """The payload that came out of strict JSON and needs no second look."""
    quota: tuple[Quota, RateDecision] | None = None
    """What was taken from a rate limit; filled in while the call is answered."""
    is_stranger: bool = False
    """Nobody has asked yet who it is: nothing of it is stored."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """What the delivery log keeps; secrets are taken out."""
    body: bytes | None = None
    """The original bytes, where the delivery log keeps them."""
    traceparent: str | None = None
    """The trace that the caller is in, where it is believed."""
    request_id_header: str = "X-Request-ID"
    """Where the caller finds `request_id`."""

    @property
    def scoped_key(self) -> str | None:
        """The caller's key, in which no other caller's can reach."""
        if self.idempotency_key is None or self.principal is None:
            return self.idempotency_key
        return f"{quote(self.principal, safe='')}:{self.idempotency_key}"


class WebhookJobRequest(BaseModel):
    """What ``POST {prefix}/jobs`` takes."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    # how long it may be is asked behind the list of those that are allowed
    job_type: str = Field(json_schema_extra={"minLength": 1, "maxLength": MAX_JOB_TYPE_LENGTH})
    payload: dict[str, Any] = Field(repr=False)
    queue_name: str = Field(default="default", pattern=f"^{QUEUE_NAME}$")
    priority: StrictInt = Field(default=0, ge=LOWEST_PRIORITY, le=HIGHEST_PRIORITY)

    # no private attribute of pydantic's: making and asking for one takes longer than reading a request
    __slots__ = ("_call",)

    @property
    def call(self) -> Call:
        """The call it came with; that of a request that was made by hand says nothing."""
        return getattr(self, "_call", None) or Call()

    @property
    def idempotency_key(self) -> str | None:
        """The header that came with the request; a copy of the request keeps it."""
        return self.call.idempotency_key

    def with_idempotency_key(self, key: str | None) -> Self:
        """Return the request as it came with this header."""
        return self.with_call(replace(self.call, idempotency_key=key))

    def with_call(self, call: Call) -> Self:
        """Return the request as it came with this call."""
        copy = self.model_copy()
        copy._came_with(call)  # noqa: SLF001 - its own copy
        return copy

    def _came_with(self, call: Call) -> None:
        object.__setattr__(self, "_call", call)

    @override
    def __copy__(self) -> Self:
        copy = super().__copy__()
        copy._came_with(self.call)  # noqa: SLF001 - its own copy
        return copy

    @override
    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        copy = super().__deepcopy__(memo)
        copy._came_with(self.call)  # noqa: SLF001 - its own copy
        return copy


class _Tolerant(WebhookJobRequest):
    model_config = ConfigDict(extra="ignore")


def request_model(
    priority_range: tuple[int, int], extra_fields: Literal["forbid", "ignore"]
) -> type[WebhookJobRequest]:
    """Return what a webhook with these settings takes; with the usual ones it is `WebhookJobRequest` itself."""
    base = WebhookJobRequest if extra_fields == "forbid" else _Tolerant
    if (base, priority_range) == (WebhookJobRequest, (LOWEST_PRIORITY, HIGHEST_PRIORITY)):
        return base
    lowest, highest = priority_range
    priority: Any = (StrictInt, Field(default=0, ge=lowest, le=highest))
    return create_model(WebhookJobRequest.__name__, __base__=base, priority=priority)


def job_request(value: Any, call: Call, model: type[WebhookJobRequest]) -> WebhookJobRequest:
    """Return what a decoded body asks for, as `model` has it.

    Raises:
        ValidationError: it is no job request.

    """
    if not isinstance(value, dict):
        raise ValidationError("Request body must be a JSON object", details={"code": "not_an_object"})
    try:
        request = model.model_validate(value)
    except pydantic.ValidationError as error:
        details = {"code": "invalid_request", "errors": refusal_places(error)}
        raise ValidationError(f"Invalid request: {refusal_text(error, 'request')}", details=details) from None
    call.decoded = request.payload
    request._came_with(call)  # noqa: SLF001 - just made
    return request
