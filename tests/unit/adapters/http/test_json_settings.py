"""How strictly bodies are read is configured, for jobs and for deliveries."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookTrigger
from portico.exceptions import ConfigurationError
from portico.testing import RecordingJobCreator
from tests.unit.adapters.job_trigger.webhooks import JOBS, calling
from tests.webhook_sources import receiving, signed, source

pytestmark = pytest.mark.asyncio

BIG = 2**63
AT_MOST_DIGITS = int("9" * 4_200)


async def _sent(payload: str, **settings: Any) -> tuple[int, Any]:
    """Return the status, and the payload of the job or the code of the refusal."""
    creator = RecordingJobCreator()
    async with calling(WebhookTrigger(creator, WebhookConfig(**settings))) as client:
        answer = await client.post(JOBS, content=f'{{"job_type": "a", "payload": {payload}}}')
    return answer.status_code, creator.jobs[0].payload if creator.jobs else answer.json()["code"]


def _nested(levels: int) -> str:
    """Return a payload that makes a body of so many levels."""
    return '{"a": ' + "[" * (levels - 2) + "]" * (levels - 2) + "}"


@pytest.mark.parametrize(("limit", "levels", "status"), [(3, 3, 202), (3, 4, 400), (98, 98, 202), (98, 99, 400)])
async def test_bodies_have_as_many_levels_as_is_said(limit: int, levels: int, status: int) -> None:
    assert (await _sent(_nested(levels), max_json_depth=limit))[0] == status


async def test_a_body_that_is_too_deep_is_told_the_limit() -> None:
    async with calling(WebhookTrigger(RecordingJobCreator(), WebhookConfig(max_json_depth=3))) as client:
        answer = await client.post(JOBS, content=f'{{"job_type": "a", "payload": {_nested(4)}}}')

    assert answer.json()["code"] == "too_deep"
    assert "3 levels" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("digits", "settings", "outcome"),
    [
        (f"{BIG}", {}, (400, "number_out_of_range")),
        (f"{BIG}", {"integer_range": "any"}, (202, {"n": BIG})),
        ("9" * 4_200, {"integer_range": "any"}, (202, {"n": AT_MOST_DIGITS})),
        ("9" * 4_201, {"integer_range": "any"}, (400, "number_out_of_range")),
    ],
    ids=["refused", "taken", "longest", "too long"],
)
async def test_integers_beyond_64_bits_are_refused_or_taken(
    digits: str, settings: dict[str, Any], outcome: tuple[int, Any]
) -> None:
    assert await _sent(f'{{"n": {digits}}}', **settings) == outcome


@pytest.mark.parametrize(
    ("settings", "outcome"), [({}, (400, "duplicate_key")), ({"duplicate_keys": "last"}, (202, {"a": 2}))]
)
async def test_of_a_repeated_key_none_or_the_last_counts(settings: dict[str, Any], outcome: tuple[int, Any]) -> None:
    assert await _sent('{"a": 1, "a": 2}', **settings) == outcome


@pytest.mark.parametrize(("choice", "is_warned"), [("last", True), ("reject", False)])
async def test_the_start_warns_where_repeated_keys_are_taken(
    choice: str,
    is_warned: bool,  # noqa: FBT001 - a parameter of pytest
) -> None:
    config: Any = {"duplicate_keys": choice}
    with capture_logs() as logs:
        async with calling(WebhookTrigger(RecordingJobCreator(), WebhookConfig(**config))):
            pass

    assert ("webhook_takes_repeated_keys" in [line["event"] for line in logs]) is is_warned


@pytest.mark.parametrize(
    ("payload", "settings", "outcome"),
    [
        ('{"a": "\\u0000"}', {}, (400, "nul_character")),
        ('{"a": ["x\\u0000y"]}', {"nul_character": "replace"}, (202, {"a": ["x\ufffdy"]})),
        ('{"a\\u0000": 1}', {"nul_character": "replace"}, (202, {"a\ufffd": 1})),
        ('{"\\u0000": 1, "\ufffd": 2}', {"nul_character": "replace"}, (400, "duplicate_key")),
        ('{"a": "\\ud800"}', {"nul_character": "replace"}, (400, "invalid_unicode")),
    ],
)
async def test_the_character_nul_is_refused_or_replaced(
    payload: str, settings: dict[str, Any], outcome: tuple[int, Any]
) -> None:
    assert await _sent(payload, **settings) == outcome


@pytest.mark.parametrize(("settings", "status"), [({}, 400), ({"nul_character": "replace"}, 202)])
@pytest.mark.parametrize("provider", ["stripe", "cloudevents"])
async def test_the_bodies_of_sources_are_read_as_those_of_jobs(
    provider: str, settings: dict[str, Any], status: int
) -> None:
    body = b'{"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": {"text": "a\\u0000b"}}'

    async with receiving(source(provider), **settings) as receiver:
        answer = await receiver.receive(signed(provider, body=body))

    assert answer.status_code == status
    assert [job.payload["data"]["data"]["text"] for job in receiver.jobs] == ["a\ufffdb"] * (status == 202)


@pytest.mark.parametrize(
    "setting",
    [
        {"max_json_depth": 0},
        {"max_json_depth": 99},
        {"max_json_depth": True},
        {"integer_range": "int53"},
        {"duplicate_keys": "first"},
        {"nul_character": "remove"},
    ],
    ids=str,
)
async def test_a_setting_that_cannot_be_is_refused_by_name(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(setting))):
        WebhookConfig(**setting)
