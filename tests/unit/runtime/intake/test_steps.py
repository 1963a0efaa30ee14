from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pydantic
import pytest
from typing_extensions import TypedDict

from portico.adapters.store.memory.rate_limiter import MemoryRateLimiter
from portico.exceptions import AuthorizationError, ConfigurationError, RateLimitError, ValidationError
from portico.ports.job_creator import JobRequest
from portico.runtime.intake.allow_list import AllowList
from portico.runtime.intake.json_payload import require_json_payload
from portico.runtime.intake.names import require_job_type_of_sane_length
from portico.runtime.intake.payload_schema import PayloadSchemas
from portico.runtime.intake.priority import PriorityMap
from portico.runtime.intake.rate_limit import RateLimit
from portico.runtime.intake.steps import take_in
from portico.testing import FakeClock

pytestmark = pytest.mark.asyncio


def _request(job_type: str = "email.send", **fields: Any) -> JobRequest:
    return JobRequest(job_type=job_type, **{"payload": {}, **fields})


async def test_steps_are_taken_in_their_order() -> None:
    taken: list[str] = []

    async def first(request: JobRequest) -> JobRequest:
        taken.append(f"first {request.queue_name}")
        return _request(queue_name="changed")

    async def second(request: JobRequest) -> JobRequest:
        taken.append(f"second {request.queue_name}")
        return request

    request = await take_in(_request(), (first, second))

    assert request.queue_name == "changed"
    assert taken == ["first default", "second changed"]


# --- allow-list


async def test_a_type_on_the_list_passes() -> None:
    request = _request()

    assert await AllowList(["email.send"])(request) is request


@pytest.mark.webhook_case(5)
@pytest.mark.parametrize(
    "job_type", ["Email.send", "email.send ", "email.send\u200b", "", "../email.send", "email.sen", "x" * 10_000]
)
async def test_a_type_that_is_not_on_the_list_to_the_letter_is_refused(job_type: str) -> None:
    with pytest.raises(AuthorizationError, match="not allowed"):
        await AllowList(["email.send"])(_request(job_type))


@pytest.mark.parametrize("job_types", [None, [], ()])
async def test_an_empty_list_lets_every_type_pass(job_types: list[str] | None) -> None:
    request = _request("anything")

    assert await AllowList(job_types)(request) is request


async def test_a_refused_type_is_shown_without_what_does_not_print() -> None:
    with pytest.raises(AuthorizationError) as caught:
        await AllowList(["email.send"])(_request("a\r\nb\x1b[31m\ud800" + "x" * 1_000))

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


async def test_changing_the_list_afterwards_changes_nothing() -> None:
    job_types = ["email.send"]
    step = AllowList(job_types)

    job_types.append("account.delete")

    with pytest.raises(AuthorizationError):
        await step(_request("account.delete"))


@pytest.mark.parametrize(("length", "passes"), [(0, False), (1, True), (255, True), (256, False)])
async def test_a_type_is_as_long_as_a_name(length: int, passes: bool) -> None:  # noqa: FBT001 - a column of a table
    request = _request("x" * length)

    if passes:
        assert await require_job_type_of_sane_length(request) is request
        return
    with pytest.raises(ValidationError, match="1 to 255 characters"):
        await require_job_type_of_sane_length(request)


# --- JSON


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", float("nan"), float("inf"), datetime.now(UTC)])
async def test_a_payload_that_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match=r"^Payload must be JSON-serializable$"):
        await require_json_payload(_request(payload={"inside": [value]}))


async def test_a_payload_that_holds_itself_is_refused() -> None:
    payload: dict[str, Any] = {}
    payload["again"] = payload

    with pytest.raises(ValidationError, match=r"^Payload must be JSON-serializable$"):
        await require_json_payload(_request(payload=payload))


# --- schemas


class EmailPayload(pydantic.BaseModel):
    recipient: str
    retries: int = 3

    @pydantic.field_validator("recipient")
    @classmethod
    def _check(cls, value: str) -> str:
        if "@" not in value:
            message = "Invalid email address"
            raise ValueError(message)
        return value


class StrictPayload(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True, extra="forbid")

    day: date
    id: UUID


@dataclass
class Row:
    number: int


class Typed(TypedDict):
    number: int


async def test_the_validated_payload_goes_on() -> None:
    request = await PayloadSchemas({"email.send": EmailPayload})(
        _request(payload={"recipient": "a@example.com", "unknown": 1})
    )

    assert request.payload == {"recipient": "a@example.com", "retries": 3}


async def test_a_strict_model_reads_json_and_gives_json() -> None:
    payload = {"day": "2030-01-31", "id": "00000000-0000-0000-0000-000000000001"}

    request = await PayloadSchemas({"email.send": StrictPayload})(_request(payload=payload))

    assert request.payload == payload


@pytest.mark.parametrize("schema", [Row, Typed])
async def test_a_schema_need_not_be_a_model(schema: type) -> None:
    step = PayloadSchemas({"email.send": schema})

    assert (await step(_request(payload={"number": "7"}))).payload == {"number": 7}
    with pytest.raises(ValidationError, match=r"^Invalid payload: payload\.number: "):
        await step(_request(payload={"number": "seven"}))


async def test_a_refused_payload_is_named_by_path_and_rule_and_never_by_value() -> None:
    with pytest.raises(ValidationError) as caught:
        await PayloadSchemas({"email.send": EmailPayload})(
            _request(payload={"recipient": "hunter2", "retries": "hunter3"})
        )

    assert str(caught.value).startswith("Invalid payload: ")
    assert "payload.recipient: Invalid email address" in str(caught.value)
    assert "payload.retries: Input should be a valid integer" in str(caught.value)
    assert "hunter" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.webhook_case(18)
async def test_a_schema_is_for_its_own_type_alone() -> None:
    request = _request("report.generate", payload={"anything": 1})

    assert await PayloadSchemas({"email.send": EmailPayload})(request) is request


@pytest.mark.parametrize("schema", [{"type": "object"}, "EmailPayload", object(), 3])
async def test_what_is_no_schema_is_refused_when_configured(schema: object) -> None:
    with pytest.raises(ConfigurationError, match=r"payload_schemas\['email\.send'\]"):
        PayloadSchemas({"email.send": schema})


# --- priority


async def test_the_priority_map_wins_for_the_types_in_it() -> None:
    step = PriorityMap({"payment.process": 10, "cleanup.logs": 0})

    assert (await step(_request("payment.process", priority=1))).priority == 10
    assert (await step(_request("cleanup.logs", priority=9))).priority == 0
    assert (await step(_request("email.send", priority=5))).priority == 5


@pytest.mark.parametrize("priority", [True, "5", 1.0, None, 2**31])
async def test_a_priority_that_is_none_is_refused_when_configured(priority: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"priority_map\['email\.send'\]"):
        PriorityMap({"email.send": priority})


# --- rate limit


def _limit(clock: FakeClock, requests_per_minute: int = 2) -> RateLimit:
    return RateLimit(MemoryRateLimiter(clock=clock), requests_per_minute, lambda job_type: f"webhook:{job_type}")


async def test_what_is_too_much_waits_until_the_next_one_passes() -> None:
    clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))
    step = _limit(clock)
    await step(_request())
    await clock.advance(10)
    await step(_request())
    await clock.advance(10)

    with pytest.raises(RateLimitError, match=r"^Rate limit exceeded for email\.send$") as caught:
        await step(_request())

    assert timedelta(seconds=caught.value.retry_after_seconds) == timedelta(seconds=40)
    await clock.advance(40)
    await step(_request())


async def test_each_type_has_its_own_limit() -> None:
    step = _limit(FakeClock(datetime(2030, 1, 1, tzinfo=UTC)), requests_per_minute=1)
    await step(_request("email.send"))

    await step(_request("report.generate"))

    with pytest.raises(RateLimitError):
        await step(_request("email.send"))


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "60"])
async def test_a_limit_that_is_none_is_refused_when_configured(limit: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_requests_per_minute"):
        _limit(FakeClock(datetime(2030, 1, 1, tzinfo=UTC)), requests_per_minute=limit)
