"""How the bytes of a request are read."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookTrigger
from portico.testing import RecordingJobCreator
from tests.unit.adapters.job_trigger.webhooks import JOB, JOBS, application, calling

pytestmark = pytest.mark.asyncio

ALLOWED = WebhookConfig(allowed_job_types=["email.send", "report.generate"])
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def trigger(creator: RecordingJobCreator) -> WebhookTrigger:
    return WebhookTrigger(creator, ALLOWED)


def _job_of_size(size: int) -> bytes:
    body = b'{"job_type": "email.send", "payload": {"a": "'
    return body + b"x" * (size - len(body) - len(b'"}}')) + b'"}}'


@pytest.mark.webhook_case(44)
@pytest.mark.parametrize("size", [1_000, 200_000])
async def test_the_limit_of_a_body_is_exact(creator: RecordingJobCreator, size: int) -> None:
    trigger = WebhookTrigger(creator, WebhookConfig(allowed_job_types=["email.send"], max_body_bytes=size))

    async with calling(trigger) as client:
        fits = await client.post(JOBS, content=_job_of_size(size), headers=JSON)
        too_large = await client.post(JOBS, content=_job_of_size(size + 1), headers=JSON)

    assert (fits.status_code, too_large.status_code) == (202, 413)
    assert too_large.json()["detail"] == f"Request body is larger than {size} bytes"
    assert len(creator.jobs) == 1


async def _body(chunks: int, sent: list[int]) -> AsyncIterator[bytes]:
    for number in range(chunks):
        sent.append(number)
        yield b"x" * 1_000


@pytest.mark.webhook_case(46)
async def test_a_body_without_a_length_is_read_up_to_the_limit(creator: RecordingJobCreator) -> None:
    trigger = WebhookTrigger(creator, WebhookConfig(max_body_bytes=10_000))
    sent: list[int] = []

    async with calling(trigger) as client:
        response = await client.post(JOBS, content=_body(1_000, sent), headers=JSON)

    assert response.status_code == 413
    assert len(sent) < 15


@pytest.mark.webhook_case(45)
async def test_a_body_that_is_announced_as_too_large_is_not_read(trigger: WebhookTrigger) -> None:
    sent: list[int] = []

    async with calling(trigger) as client:
        for length in ("1048577", "9" * 5_000):
            headers = {**JSON, "Content-Length": length}
            assert (await client.post(JOBS, content=_body(10, sent), headers=headers)).status_code == 413

    assert sent == []


@pytest.mark.parametrize("length", ["-1", "1e3", "", "\u0661"])
async def test_a_length_that_is_no_number_is_a_bad_request(trigger: WebhookTrigger, length: str) -> None:
    async with calling(trigger) as client:
        headers = {b"Content-Type": b"application/json", b"Content-Length": length.encode()}
        response = await client.post(JOBS, content=_body(1, []), headers=headers)

    assert response.status_code == 400


async def _half_a_body(released: asyncio.Event) -> AsyncIterator[bytes]:
    yield b'{"job_type": '
    await released.wait()


async def test_a_body_that_does_not_end_times_out(creator: RecordingJobCreator) -> None:
    trigger = WebhookTrigger(creator, WebhookConfig(body_timeout_seconds=0.01))

    async with calling(trigger) as client:
        response = await client.post(JOBS, content=_half_a_body(asyncio.Event()), headers=JSON)

    assert response.status_code == 408
    assert response.headers["Connection"] == "close"


@pytest.mark.webhook_case(50)
async def test_a_caller_that_goes_away_leaves_no_job_and_no_traceback(
    trigger: WebhookTrigger, creator: RecordingJobCreator
) -> None:
    messages: list[dict[str, Any]] = [
        {"type": "http.disconnect"},
        {"type": "http.request", "body": b'{"job_type"', "more_body": True},
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop()

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": JOBS, "headers": [], "query_string": b"", "root_path": ""}
    await trigger.start()
    await application(trigger)(scope, receive, send)
    await trigger.stop()

    assert sent[0]["status"] == 400
    assert creator.jobs == []


@pytest.mark.webhook_case(53)
@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, identity"])
async def test_a_compressed_body_is_not_read(trigger: WebhookTrigger, encoding: str) -> None:
    async with calling(trigger) as client:
        response = await client.post(JOBS, json=JOB, headers={"Content-Encoding": encoding})

    assert response.status_code == 415
    assert response.headers["Accept-Encoding"] == "identity"


@pytest.mark.webhook_case(55, 56, 57, 58)
@pytest.mark.parametrize(
    ("declared", "status"),
    [
        ("application/json", 202),
        ("application/json; charset=utf-8", 202),
        ('APPLICATION/JSON; charset="UTF-8"', 202),
        ("application/vnd.x+json; charset=utf-8", 202),
        ("text/plain", 415),
        ("text/json", 415),
        ("text/plain; application/json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/jsonp", 415),
        ("application/json; charset=utf-16", 415),
        ("application/json, text/plain", 415),
        ("", 415),
    ],
)
async def test_json_that_is_declared_as_something_else_is_refused(
    trigger: WebhookTrigger, creator: RecordingJobCreator, declared: str, status: int
) -> None:
    async with calling(trigger) as client:
        response = await client.post(JOBS, content=json.dumps(JOB), headers={"Content-Type": declared})

    assert response.status_code == status
    assert len(creator.jobs) == (status == 202)


@pytest.mark.webhook_case(56)
async def test_what_is_not_json_is_a_bad_request_whatever_it_is_declared_as(trigger: WebhookTrigger) -> None:
    async with calling(trigger) as client:
        response = await client.post(JOBS, data={"job_type": "email.send"})

    assert response.status_code == 400


@pytest.mark.parametrize(("headers", "status"), [({}, 202), ({"Origin": "https://evil.example"}, 415)])
async def test_a_caller_that_declares_nothing_passes_unless_it_is_a_browser(
    trigger: WebhookTrigger, headers: dict[str, str], status: int
) -> None:
    async with calling(trigger) as client:
        response = await client.post(JOBS, content=json.dumps(JOB), headers=headers)

    assert response.status_code == status
