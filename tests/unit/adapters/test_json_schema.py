"""Payloads that a JSON Schema describes."""

import socket
import time
from contextlib import suppress
from typing import Any

import pytest

from portico.adapters.job_trigger.webhook_trigger import WebhookTrigger
from portico.adapters.json_schema import JsonSchema
from portico.exceptions import ConfigurationError, ValidationError
from portico.testing import RecordingJobCreator
from tests.unit.adapters.job_trigger.webhooks import JOB, JOBS, calling

pytestmark = pytest.mark.asyncio

EMAIL = {
    "type": "object",
    "properties": {
        "recipient": {"$ref": "#/$defs/address"},
        "copies": {"type": "array", "items": {"type": "integer", "minimum": 1}, "uniqueItems": True},
    },
    "patternProperties": {"^x_": {"type": "string"}},
    "required": ["recipient"],
    "additionalProperties": False,
    "$defs": {"address": {"type": "string", "pattern": "^[^@]+@[^@]+$", "maxLength": 50}},
}
GOOD: dict[str, Any] = {"recipient": "user@example.com", "copies": [1, 2], "x_tag": "a"}


async def _refusal(schema: dict[str, Any], payload: dict[str, Any]) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        await JsonSchema(schema, "schema").validated(payload)
    return caught.value


async def test_a_payload_that_fits_passes_as_it_is() -> None:
    assert await JsonSchema(EMAIL, "schema").validated(GOOD) is GOOD


@pytest.mark.parametrize(
    ("change", "path", "rule"),
    [
        ({"recipient": "hunter2"}, "payload.recipient", 'pattern "^[^@]+@[^@]+$"'),
        ({"recipient": 5}, "payload.recipient", 'type "string"'),
        ({"copies": [1, 0]}, "payload.copies[1]", "minimum 1"),
        ({"copies": [1, 1.0]}, "payload.copies", "uniqueItems true"),
        ({"x_tag": 1}, "payload.x_tag", 'type "string"'),
        ({"hunter2": 1}, "payload", "additionalProperties false"),
    ],
)
async def test_a_refusal_names_path_and_rule_and_no_value(change: dict[str, Any], path: str, rule: str) -> None:
    refusal = await _refusal(EMAIL, {**GOOD, **change})

    assert str(refusal) == f"Invalid payload: {path}: {rule}"
    assert refusal.details["errors"][0]["code"] == rule.partition(" ")[0]


async def test_a_missing_member_is_named() -> None:
    assert str(await _refusal(EMAIL, {})) == "Invalid payload: payload: 'recipient' is a required property"


@pytest.mark.webhook_case(17, 18)
async def test_over_http_a_violation_is_a_bad_request_and_other_types_are_not_asked() -> None:
    creator = RecordingJobCreator()
    trigger = WebhookTrigger(creator, payload_schemas={"email.send": EMAIL})

    async with calling(trigger) as client:
        refused = await client.post(JOBS, json={**JOB, "payload": {"recipient": "hunter2"}})
        passed = await client.post(JOBS, json=JOB)
        other = await client.post(JOBS, json={"job_type": "report", "payload": {}})

    assert (refused.status_code, refused.json()["code"]) == (400, "payload_schema_violation")
    assert refused.json()["errors"][0]["loc"] == ["payload", "recipient"]
    assert "hunter2" not in refused.text
    assert (passed.status_code, other.status_code) == (202, 202)


@pytest.mark.webhook_case(19)
@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:1/schema.json"},
        {"properties": {"a": {"items": {"$ref": "https://evil.example/x"}}}},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#/$defs/nowhere"},
        {"$id": "http://a.example/b", "allOf": [{"$ref": "c.json"}]},
        {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {"$ref": "http://evil.example"}}},
        {"$dynamicRef": "http://evil.example/#meta"},
    ],
)
async def test_a_reference_to_the_outside_is_refused_and_never_followed(
    schema: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", refuse)

    with pytest.raises(ConfigurationError, match=r"payload_schemas\['a'\] refers to"):
        WebhookTrigger(RecordingJobCreator(), payload_schemas={"a": schema})


@pytest.mark.webhook_case(20)
@pytest.mark.parametrize(
    "schema", [{"type": "strnig"}, {"properties": []}, {"required": "a"}, {"pattern": "("}, {"pattern": r"(?=a)b"}]
)
async def test_what_is_no_schema_is_refused_when_configured(schema: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="schema"):
        JsonSchema(schema, "schema")


@pytest.mark.webhook_case(21)
@pytest.mark.parametrize(
    ("schema", "payload"),
    [
        ({"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 50_000 + "!"}),
        ({"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False}, {"a" * 50_000 + "!": 1}),
        ({"properties": {"a": {"uniqueItems": True}}}, {"a": [*map(str, range(20_000)), *range(20_000), {}]}),
    ],
    ids=["pattern", "names", "unique"],
)
async def test_no_payload_takes_all_the_time_it_wants(schema: dict[str, Any], payload: dict[str, Any]) -> None:
    started = time.perf_counter()
    with suppress(ValidationError):
        await JsonSchema(schema, "schema").validated(payload)

    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    "draft", ["http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-07/schema#"]
)
async def test_older_drafts_are_read_by_their_own_rules(draft: str) -> None:
    schema = {
        "$schema": draft,
        "definitions": {"a": {"type": "integer"}},
        "properties": {"a": {"$ref": "#/definitions/a"}},
    }

    assert "type" in str(await _refusal(schema, {"a": "x"}))


async def test_a_long_list_of_refusals_is_cut() -> None:
    refusal = await _refusal({"additionalProperties": {"type": "string"}}, {f"n{n}": n for n in range(1_000)})

    assert str(refusal).endswith("; and more")
    assert len(refusal.details["errors"]) == 10
