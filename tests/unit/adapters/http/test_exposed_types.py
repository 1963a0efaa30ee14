"""The description of the routes names job types where that is asked for."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import hypothesis
import pydantic
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import status_code_conformance

from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookTrigger
from portico.testing import RecordingJobCreator
from tests.unit.adapters.job_trigger.webhooks import JOBS, application


class Line(pydantic.BaseModel):
    """A line of an order."""

    model_config = pydantic.ConfigDict(strict=True, extra="forbid")

    article: str


class Order(pydantic.BaseModel):
    """An order, which refers to another model."""

    model_config = pydantic.ConfigDict(strict=True, extra="forbid")

    lines: list[Line]


REPORT = {
    "type": "object",
    "properties": {"pages": {"$ref": "#/$defs/pages"}},
    "required": ["pages"],
    "$defs": {"pages": {"type": "integer"}},
}
SCHEMAS = {"order.place": Order, "report": REPORT}
TYPES = ["report", "order.place", "ping"]


def _trigger(job_types: list[str] | None = None, *, is_exposed: bool = True) -> WebhookTrigger:
    config = WebhookConfig(allowed_job_types=job_types, expose_job_types=is_exposed, health_routes=False)
    return WebhookTrigger(RecordingJobCreator(), config, payload_schemas=SCHEMAS)


def _schema(app: FastAPI) -> Any:
    return app.openapi()["paths"][JOBS]["post"]["requestBody"]["content"]["application/json"]["schema"]


def _payload_of(schema: Any) -> Any:
    config = WebhookConfig(expose_job_types=True)
    trigger = WebhookTrigger(RecordingJobCreator(), config, payload_schemas={"x": schema})
    return _schema(application(trigger))["oneOf"][0]["properties"]["payload"]


@pytest.mark.webhook_case(122)
def test_no_job_type_is_named_unless_that_is_asked_for() -> None:
    document = str(application(_trigger(TYPES, is_exposed=False)).openapi())

    assert not any(name in document for name in TYPES)


def test_the_allowed_types_are_named() -> None:
    assert _schema(application(_trigger(TYPES)))["properties"]["job_type"]["enum"] == sorted(TYPES)


@pytest.mark.parametrize(
    ("job_type", "payload", "is_right"),
    [
        ("order.place", {"lines": [{"article": "a"}]}, True),
        ("order.place", {"lines": [{"article": 1}]}, False),
        ("report", {"pages": 7}, True),
        ("report", {"pages": "7"}, False),
        ("ping", {"anything": None}, True),
    ],
)
@pytest.mark.parametrize("job_types", [TYPES, None])
def test_a_payload_is_described_by_its_type(
    job_types: list[str] | None,
    job_type: str,
    payload: dict[str, Any],
    is_right: bool,  # noqa: FBT001 - a parameter of pytest
) -> None:
    schema = _schema(application(_trigger(job_types)))

    assert Draft202012Validator(schema).is_valid({"job_type": job_type, "payload": payload}) is is_right


def test_a_type_that_is_not_allowed_is_none_of_the_document() -> None:
    schema = _schema(application(_trigger(["ping"])))

    assert "oneOf" not in schema
    assert not Draft202012Validator(schema).is_valid({"job_type": "report", "payload": {"pages": 7}})


def test_a_payload_that_cannot_be_written_down_is_an_object() -> None:
    class Called(pydantic.BaseModel):
        back: Callable[[], None]

    assert _payload_of(Called) == {"type": "object"}


def test_a_payload_that_holds_itself_is_described_down_to_itself() -> None:
    folder = {"type": "object", "properties": {"inner": {"$ref": "#/$defs/folder"}}}

    assert _payload_of({"$ref": "#/$defs/folder", "$defs": {"folder": folder}}) == {
        "allOf": [{"type": "object", "properties": {"inner": {}}}]
    }


def test_a_reference_by_another_name_than_a_path_is_an_object() -> None:
    assert _payload_of({"$ref": "#line", "$defs": {"line": {"$anchor": "line"}}}) == {"type": "object"}


def test_no_payload_that_is_described_is_refused() -> None:
    trigger = _trigger(TYPES)
    asyncio.run(trigger.start())
    described = schemathesis.openapi.from_asgi("/openapi.json", application(trigger))
    (operation,) = (cast("Any", found).ok() for found in described.get_all_operations())

    @hypothesis.given(case=operation.as_strategy())
    @settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
    def send(case: Any) -> None:
        case.call_and_validate(checks=[not_a_server_error, status_code_conformance])
        codes.append(case.call().json().get("code"))

    codes: list[str | None] = []
    send()
    # other refusals there are: the description has no word for the character NUL, and for JSON Schema 1.0 is an integer
    assert "payload_schema_violation" not in codes
    assert None in codes
    asyncio.run(trigger.stop())
