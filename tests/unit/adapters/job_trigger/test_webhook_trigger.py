"""What `_create_job_endpoint` does when it is called directly, as the founding document's tests do."""

from datetime import UTC, datetime
from typing import Any
from unittest.mock import AsyncMock
from uuid import uuid4

import pydantic
import pytest
from fastapi import HTTPException
from structlog.testing import capture_logs

from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookJobRequest, WebhookTrigger
from portico.exceptions import ConfigurationError, DatabaseError, RateLimitError, UnknownJobTypeError
from portico.ports.event_inbox import EventOutcome
from portico.ports.job import Job
from portico.ports.job_creator import JobCreator
from portico.ports.job_trigger import TriggerState
from portico.runtime.memory_state import MemoryEventInbox
from portico.testing import FakeClock, RecordingJobCreator

pytestmark = pytest.mark.asyncio


class EmailPayload(pydantic.BaseModel):
    recipient: str


def _request(job_type: str = "test.job", **fields: Any) -> WebhookJobRequest:
    return WebhookJobRequest(job_type=job_type, **{"payload": {"data": "test"}, **fields})


async def _refused(trigger: WebhookTrigger, request: WebhookJobRequest) -> HTTPException:
    with pytest.raises(HTTPException) as caught:
        await trigger._create_job_endpoint(request)
    return caught.value


async def test_a_trigger_that_was_never_started_creates_a_job_with_exactly_four_keywords() -> None:
    mock_creator = AsyncMock(spec=JobCreator)
    job = Job(id=uuid4(), job_type="test.job", queue_name="default", payload={})
    mock_creator.create_job.return_value = job
    trigger = WebhookTrigger(job_creator=mock_creator)

    assert await trigger._create_job_endpoint(_request()) is job

    mock_creator.create_job.assert_called_once_with(
        job_type="test.job", payload={"data": "test"}, queue_name="default", priority=0
    )


async def test_a_job_type_that_is_not_allowed_is_forbidden() -> None:
    creator = RecordingJobCreator()
    trigger = WebhookTrigger(creator, WebhookConfig(allowed_job_types=["email.send"]))

    answer = await _refused(trigger, _request("account.delete"))

    assert (answer.status_code, answer.detail) == (403, "Job type 'account.delete' not allowed")
    assert creator.jobs == []


async def test_a_payload_that_is_not_json_is_a_bad_request() -> None:
    answer = await _refused(WebhookTrigger(RecordingJobCreator()), _request(payload={"when": object()}))

    assert (answer.status_code, answer.detail) == (400, "Payload must be JSON-serializable")


@pytest.mark.webhook_case(16)
async def test_a_payload_that_its_schema_refuses_is_a_bad_request() -> None:
    trigger = WebhookTrigger(RecordingJobCreator(), payload_schemas={"test.job": EmailPayload})

    answer = await _refused(trigger, _request())

    assert (answer.status_code, answer.detail) == (
        400,
        "Invalid payload: payload.recipient: Field required",
    )


async def test_too_many_requests_are_told_when_the_next_one_passes() -> None:
    clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))
    trigger = WebhookTrigger(RecordingJobCreator(), max_requests_per_minute=1, clock=clock)
    await trigger._create_job_endpoint(_request())
    await clock.advance(0.5)

    answer = await _refused(trigger, _request())

    assert (answer.status_code, answer.detail) == (429, "Rate limit exceeded for test.job")
    assert answer.headers == {"Retry-After": "60"}
    await clock.advance(60)
    await trigger._create_job_endpoint(_request())


@pytest.mark.webhook_case(70)
async def test_what_is_refused_takes_nothing_from_the_limit() -> None:
    trigger = WebhookTrigger(
        RecordingJobCreator(), max_requests_per_minute=1, payload_schemas={"test.job": EmailPayload}
    )
    for _ in range(3):
        assert (await _refused(trigger, _request())).status_code == 400

    await trigger._create_job_endpoint(_request(payload={"recipient": "a"}))


async def test_the_priority_map_wins() -> None:
    creator = RecordingJobCreator()
    trigger = WebhookTrigger(creator, priority_map={"payment.process": 10})

    await trigger._create_job_endpoint(_request("payment.process", priority=1))
    await trigger._create_job_endpoint(_request("email.send", priority=1))

    assert [job.priority for job in creator.jobs] == [10, 1]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("password=hunter2"),
        DatabaseError("the disk is full"),
        RateLimitError("the queue is full", retry_after_seconds=5),
    ],
)
async def test_any_failed_creation_is_a_server_error_that_tells_nothing(error: Exception) -> None:
    creator = RecordingJobCreator()
    creator.fail_next(error)

    with capture_logs() as logs:
        answer = await _refused(WebhookTrigger(creator), _request(payload={"secret": "hunter2"}))

    assert (answer.status_code, answer.detail) == (500, "Job creation failed")
    assert answer.__cause__ is error
    (line,) = (line for line in logs if line["event"] == "webhook_job_creation_failed")
    assert (line["log_level"], line["job_type"]) == ("error", "test.job")
    assert "create_job" in line["traceback"]
    assert "hunter2" not in str(logs)


async def test_what_the_creator_refuses_is_a_bad_request_in_its_words() -> None:
    creator = RecordingJobCreator()
    creator.fail_next(UnknownJobTypeError("no handler for 'test.job'"))

    answer = await _refused(WebhookTrigger(creator), _request())

    assert (answer.status_code, answer.detail) == (400, "no handler for 'test.job'")


async def test_health_tells_refusals_from_failures() -> None:
    creator = RecordingJobCreator()
    trigger = WebhookTrigger(creator, WebhookConfig(allowed_job_types=["test.job"]))
    creator.fail_next(DatabaseError("the disk is full"))

    await trigger.start()
    await _refused(trigger, _request())
    failed = trigger.get_health()
    await _refused(trigger, _request("account.delete"))
    await trigger._create_job_endpoint(_request())
    health = trigger.get_health()
    await trigger.stop()

    assert (failed.errors_count, failed.state) == (1, TriggerState.DEGRADED)
    assert failed.last_error == "DatabaseError: the disk is full"
    assert (health.jobs_created_count, health.errors_count, health.rejected_count) == (1, 1, 1)
    assert (health.state, health.last_error) == (TriggerState.RUNNING, None)


async def test_the_inbox_keeps_what_became_of_each_request_and_never_its_body() -> None:
    inbox = MemoryEventInbox()
    creator = RecordingJobCreator()
    trigger = WebhookTrigger(creator, WebhookConfig(allowed_job_types=["test.job"]), inbox=inbox)

    await trigger._create_job_endpoint(_request())
    await _refused(trigger, _request("account.delete"))

    rejected, accepted = await inbox.list_events(trigger="webhook")
    assert (accepted.outcome, accepted.job_ids) == (EventOutcome.ACCEPTED, (creator.jobs[0].id,))
    assert (rejected.outcome, rejected.reason) == (
        EventOutcome.REJECTED,
        "Job type 'account.delete' not allowed",
    )
    assert rejected.body is None


async def test_a_flood_beyond_the_limit_does_not_reach_the_inbox() -> None:
    inbox = MemoryEventInbox()
    trigger = WebhookTrigger(RecordingJobCreator(), max_requests_per_minute=1, inbox=inbox)
    await trigger._create_job_endpoint(_request())

    await _refused(trigger, _request())

    assert len(await inbox.list_events()) == 1
    assert trigger.get_health().rejected_count == 1


async def test_an_inbox_that_fails_changes_no_answer() -> None:
    inbox = AsyncMock(spec=MemoryEventInbox)
    inbox.record.side_effect = DatabaseError("the disk is full")
    creator = RecordingJobCreator()
    trigger = WebhookTrigger(creator, WebhookConfig(allowed_job_types=["test.job"]), inbox=inbox)

    await trigger._create_job_endpoint(_request())

    assert len(creator.jobs) == 1
    assert (await _refused(trigger, _request("account.delete"))).status_code == 403


@pytest.mark.webhook_case(63)
async def test_an_open_trigger_warns_at_its_start() -> None:
    hint = "WebhookConfig(allowed_job_types=[...]) lists what may be asked for"
    for config, hints in ((None, [hint]), (WebhookConfig(allowed_job_types=["test.job"]), [])):
        trigger = WebhookTrigger(RecordingJobCreator(), config)
        with capture_logs() as logs:
            await trigger.start()
        await trigger.stop()
        assert [line["hint"] for line in logs if line["event"] == "webhook_allows_every_job_type"] == hints


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prefix", "webhooks"),
        ("prefix", "/webhooks/"),
        ("prefix", "/"),
        ("prefix", "/web hooks"),
        ("prefix", "/{tenant}"),
        ("allowed_job_types", "email.send"),
        ("max_body_bytes", 0),
        ("body_timeout_seconds", -1.0),
        ("body_timeout_seconds", float("nan")),
    ],
)
async def test_a_setting_that_cannot_be_is_refused_by_name_and_value(field: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=field) as caught:
        WebhookConfig(**{field: value})

    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"priority": True},
        {"priority": 1.0},
        {"priority": 2**31},
        {"queue_name": ""},
        {"queue_name": "a" * 200},
        {"queue_name": "default\n"},
        {"payload": [1]},
        {"unknown": 1},
        {"idempotency_key": "k"},
    ],
)
async def test_a_request_checks_itself(fields: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        _request(**fields)


async def test_a_copy_of_a_request_keeps_its_key() -> None:
    request = _request().with_idempotency_key("abc")

    assert request.model_copy(update={"priority": 5}).idempotency_key == "abc"
    assert request.model_copy(deep=True).idempotency_key == "abc"
    assert _request().idempotency_key is None
