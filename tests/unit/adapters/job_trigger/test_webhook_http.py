"""The route, over HTTP without a socket."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from unittest.mock import AsyncMock

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from structlog.testing import capture_logs

from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookTrigger
from portico.exceptions import DatabaseError, ValidationError
from portico.ports.event_inbox import EventOutcome
from portico.ports.job_creator import JobCreator
from portico.testing import FakeClock, RecordingJobCreator
from tests.unit.adapters.job_trigger.webhooks import JOB, JOBS, application, calling, client_of

pytestmark = pytest.mark.asyncio

ALLOWED = WebhookConfig(allowed_job_types=["email.send", "report.generate"])
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def trigger(creator: RecordingJobCreator) -> WebhookTrigger:
    return WebhookTrigger(creator, ALLOWED)


@pytest.mark.webhook_case(1)
async def test_a_job_is_accepted_and_described(trigger: WebhookTrigger, creator: RecordingJobCreator) -> None:
    async with calling(trigger) as client:
        response = await client.post(JOBS, json={**JOB, "queue_name": "emails", "priority": 5})

    (job,) = creator.jobs
    assert response.status_code == 202
    assert response.json() == {
        "job_id": str(job.id),
        "job_type": "email.send",
        "queue_name": "emails",
        "priority": 5,
        "status": "pending",
    }
    assert (job.job_type, job.payload, job.queue_name, job.priority) == (
        "email.send",
        {"recipient": "user@example.com"},
        "emails",
        5,
    )


@pytest.mark.webhook_case(2)
async def test_a_request_without_a_key_calls_the_creator_with_exactly_four_keywords() -> None:
    mock_creator = AsyncMock(spec=JobCreator)

    async with calling(WebhookTrigger(mock_creator)) as client:
        response = await client.post(JOBS, json=JOB)

    assert response.status_code == 202
    mock_creator.create_job.assert_called_once_with(**JOB, queue_name="default", priority=0)


async def test_before_the_start_and_after_the_stop_nothing_is_accepted(
    trigger: WebhookTrigger, creator: RecordingJobCreator
) -> None:
    async with client_of(application(trigger)) as client:
        before = await client.post(JOBS, json=JOB)
        await trigger.start()
        during = await client.post(JOBS, json=JOB)
        await trigger.stop()
        after = await client.post(JOBS, json=JOB)

    assert [before.status_code, during.status_code, after.status_code] == [503, 202, 503]
    assert int(before.headers["Retry-After"]) >= 1
    assert len(creator.jobs) == 1


@pytest.mark.webhook_case(2, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"not json",
        b"[]",
        b"null",
        b'"text"',
        b"1",
        b"{}",
        b'{"payload": {}}',
        b'{"job_type": "email.send"}',
        b'{"job_type": 5, "payload": {}}',
        b'{"job_type": null, "payload": {}}',
        b'{"job_type": "email.send", "payload": []}',
        b'{"job_type": "email.send", "payload": null}',
        b'{"job_type": "email.send", "payload": {}, "unknown": 1}',
        b'{"job_type": "email.send", "payload": {}, "idempotency_key": "k"}',
        b'{"job_type": "email.send", "payload": {}, "_idempotency_key": "k"}',
        b'{"job_type": "email.send", "payload": {}, "metadata": {}}',
        *(
            b'{"job_type": "email.send", "payload": {}, "priority": %s}' % priority
            for priority in (b'"5"', b"true", b"1.0", b"1e2", b"null", b"2147483648", b"1" + b"0" * 100)
        ),
        *(
            b'{"job_type": "email.send", "payload": {}, "queue_name": "%s"}' % queue_name
            for queue_name in (b"", b"q" * 200, b"a b", b"../x", b"a\\n")
        ),
        b'{"job_type": "email.send", "payload": {"a": NaN}}',
        b'{"job_type": "email.send", "payload": {"a": 1, "a": 2}}',
        b'{"job_type": "email.send", "payload": {"a": "\\ud800"}}',
        b'{"job_type": "email.send", "payload": {"a": "\\u0000"}}',
        b'\xef\xbb\xbf{"job_type": "email.send", "payload": {}}',
        json.dumps(JOB).encode("utf-16"),
        b"[" * 100_000,
    ],
    ids=lambda body: body[:80].decode("latin-1"),
)
async def test_a_body_that_is_no_job_request_is_a_bad_request(
    trigger: WebhookTrigger, creator: RecordingJobCreator, body: bytes
) -> None:
    async with calling(trigger) as client:
        response = await client.post(JOBS, content=body, headers=JSON)

    assert response.status_code == 400
    assert isinstance(response.json()["detail"], str)
    assert creator.jobs == []
    assert (trigger.get_health().rejected_count, trigger.get_health().errors_count) == (1, 0)


@pytest.mark.webhook_case(118)
async def test_an_answer_never_repeats_a_value() -> None:
    trigger = WebhookTrigger(RecordingJobCreator())

    async with calling(trigger) as client:
        with capture_logs() as logs:
            for body in (
                b'{"job_type": "a", "payload": {}, "priority": "hunter2"}',
                b'{"job_type": ["hunter2"], "payload": {}}',
                b'{"job_type": "a", "payload": "hunter2"}',
                b'{"job_type": "a", "payload": {"x": hunter2}}',
                b'{"job_type": "a", "payload": {}, "queue_name": "hunter2 x"}',
            ):
                response = await client.post(JOBS, content=body, headers=JSON)
                assert response.status_code == 400
                assert "hunter2" not in response.text

    refusals = [line for line in logs if line["event"] == "invalid_webhook_request"]
    assert len(refusals) == 5
    assert all(line["error"] for line in refusals)
    assert "hunter2" not in str(logs)


@pytest.mark.webhook_case(3)
async def test_a_job_type_that_is_not_allowed_is_forbidden(trigger: WebhookTrigger) -> None:
    async with calling(trigger) as client:
        response = await client.post(JOBS, json={**JOB, "job_type": "account.delete"})

    assert response.status_code == 403
    assert response.json()["detail"] == "Job type 'account.delete' not allowed"


@pytest.mark.webhook_case(42)
async def test_texts_and_numbers_arrive_as_they_were_sent(
    trigger: WebhookTrigger, creator: RecordingJobCreator
) -> None:
    payload = {"\N{GRINNING FACE}": "e\u0301\u200d", "sum": 0.1 + 0.2, "zero": -0.0, "big": 2**63 - 1, "nested": [[{}]]}

    async with calling(trigger) as client:
        await client.post(JOBS, json={**JOB, "payload": payload})

    assert repr(creator.jobs[0].payload) == repr(payload)


@pytest.mark.webhook_case(59)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "PATCH"])
async def test_only_post_is_allowed(trigger: WebhookTrigger, method: str) -> None:
    async with calling(trigger) as client:
        response = await client.request(method, JOBS)

    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"


@pytest.mark.webhook_case(60)
@pytest.mark.parametrize("slashes", ["/", "//", "////"])
async def test_slashes_at_the_end_are_no_redirect(
    trigger: WebhookTrigger, creator: RecordingJobCreator, slashes: str
) -> None:
    async with calling(trigger) as client:
        response = await client.post(f"{JOBS}{slashes}", json=JOB, headers={"Host": "evil.example"})

    assert response.status_code == 202
    assert "Location" not in response.headers
    assert len(creator.jobs) == 1


@pytest.mark.parametrize("prefix", ["", "/api/v1/hooks"])
async def test_the_prefix_is_configured(creator: RecordingJobCreator, prefix: str) -> None:
    async with calling(WebhookTrigger(creator, WebhookConfig(prefix=prefix))) as client:
        assert (await client.post(f"{prefix}/jobs", json=JOB)).status_code == 202


async def test_dependencies_of_the_application_guard_the_route(
    trigger: WebhookTrigger, creator: RecordingJobCreator
) -> None:
    async def authenticate(request: Request) -> None:
        if request.headers.get("Authorization") != "Bearer right":
            raise HTTPException(401, "Who are you?")

    app = FastAPI()
    app.include_router(trigger.router, dependencies=[Depends(authenticate)])
    await trigger.start()

    async with client_of(app) as client:
        refused = await client.post(JOBS, json=JOB)
        accepted = await client.post(JOBS, json=JOB, headers={"Authorization": "Bearer right"})
    await trigger.stop()

    assert (refused.status_code, accepted.status_code) == (401, 202)
    assert len(creator.jobs) == 1


async def _read_the_body(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    await request.body()
    return await call_next(request)


async def test_it_works_in_a_sub_application_behind_middleware(
    trigger: WebhookTrigger, creator: RecordingJobCreator
) -> None:
    inner = application(trigger)
    inner.add_middleware(BaseHTTPMiddleware, dispatch=_read_the_body)
    outer = FastAPI()
    outer.add_middleware(GZipMiddleware, minimum_size=1)
    outer.mount("/inner", inner)
    await trigger.start()

    async with client_of(outer) as client:
        response = await client.post(f"/inner{JOBS}", json=JOB)
    await trigger.stop()

    assert response.status_code == 202
    assert len(creator.jobs) == 1


async def test_openapi_describes_the_route_once_and_without_job_types(trigger: WebhookTrigger) -> None:
    document = application(trigger).openapi()

    assert set(document["paths"]) == {JOBS, "/webhooks/health", "/webhooks/health/ready"}
    operation = document["paths"][JOBS]["post"]
    codes = {"400", "403", "408", "409", "413", "415", "422", "429", "431", "500", "503"}
    assert set(operation["responses"]) == {"202", *codes}
    assert all(list(operation["responses"][code]["content"]) == ["application/problem+json"] for code in codes)
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {"job_type", "payload", "queue_name", "priority"}
    assert schema["required"] == ["job_type", "payload"]
    assert schema["additionalProperties"] is False
    assert "report.generate" not in json.dumps(document)


@pytest.mark.webhook_case(78, 90)
async def test_a_failed_creation_tells_nothing_and_may_be_repeated(
    trigger: WebhookTrigger, creator: RecordingJobCreator
) -> None:
    creator.fail_next(DatabaseError("no space left on /var/lib/portico.db"))

    async with calling(trigger) as client:
        failed = await client.post(JOBS, json=JOB, headers={"Idempotency-Key": "k"})
        repeated = await client.post(JOBS, json=JOB, headers={"Idempotency-Key": "k"})

    assert (failed.status_code, failed.json()["detail"]) == (500, "Job creation failed")
    assert repeated.status_code == 202
    health = trigger.get_health()
    assert (health.errors_count, health.jobs_created_count, health.rejected_count) == (1, 1, 0)


async def test_what_the_creator_refuses_is_told(trigger: WebhookTrigger, creator: RecordingJobCreator) -> None:
    creator.fail_next(ValidationError("payload.a: too odd"))

    async with calling(trigger) as client:
        response = await client.post(JOBS, json=JOB)

    assert (response.status_code, response.json()["detail"]) == (400, "payload.a: too odd")


@pytest.mark.webhook_case(67, 68, 69, 71)
async def test_fifty_at_once_are_exactly_ten(creator: RecordingJobCreator) -> None:
    clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))
    trigger = WebhookTrigger(creator, ALLOWED, max_requests_per_minute=10, clock=clock)

    async with calling(trigger) as client:
        responses = await asyncio.gather(*(client.post(JOBS, json=JOB) for _ in range(50)))
        other_type = await client.post(JOBS, json={**JOB, "job_type": "report.generate"})
        refused = [response for response in responses if response.status_code == 429]
        await clock.advance(int(refused[0].headers["Retry-After"]))
        later = await client.post(JOBS, json=JOB)

    assert len(refused) == 40
    assert all(response.headers["Retry-After"] == "60" for response in refused)
    assert refused[0].json()["detail"] == "Rate limit exceeded for email.send"
    assert (other_type.status_code, later.status_code) == (202, 202)
    assert len(creator.jobs) == 12


@pytest.mark.webhook_case(83, 86)
async def test_a_repeated_key_gets_the_first_job(trigger: WebhookTrigger, creator: RecordingJobCreator) -> None:
    async with calling(trigger) as client:
        responses = [
            await client.post(JOBS, json=JOB, headers={"Idempotency-Key": key}) for key in ("abc", "abc", '"abc"')
        ]
        other = await client.post(JOBS, json=JOB, headers={"Idempotency-Key": "other"})

    assert [response.status_code for response in responses] == [202, 202, 202]
    assert len({response.json()["job_id"] for response in responses}) == 1
    assert other.json()["job_id"] != responses[0].json()["job_id"]
    assert creator.jobs[0].metadata == {"idempotency_key": "webhook:email.send:abc"}
    assert (trigger.get_health().jobs_created_count, trigger.get_health().duplicates_count) == (2, 2)
    duplicate = (await trigger.inbox.list_events(outcome=EventOutcome.DUPLICATE))[0]
    assert (duplicate.source_id, duplicate.job_ids) == ("abc", (creator.jobs[0].id,))


@pytest.mark.webhook_case(87)
@pytest.mark.parametrize("key", [b"", b'""', b"k" * 256, b"a b", b'"a b"', b"k\xe9y", b"a\tb"])
async def test_a_key_that_is_none_is_a_bad_request(
    trigger: WebhookTrigger, creator: RecordingJobCreator, key: bytes
) -> None:
    async with calling(trigger) as client:
        response = await client.post(JOBS, json=JOB, headers=[(b"Idempotency-Key", key)])

    assert response.status_code == 400
    assert creator.jobs == []


async def test_two_keys_are_a_bad_request(trigger: WebhookTrigger) -> None:
    async with calling(trigger) as client:
        response = await client.post(JOBS, json=JOB, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")])

    assert response.status_code == 400
