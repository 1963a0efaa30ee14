"""What `POST /jobs` takes, and what it tells, as it is configured."""

from typing import Any

import pytest
from fastapi import FastAPI

from portico.adapters.job_trigger.webhook_trigger import APIKey, WebhookConfig, WebhookTrigger
from portico.exceptions import ConfigurationError
from portico.testing import RecordingJobCreator
from tests.unit.adapters.job_trigger.webhooks import JOB, JOBS, application, calling

pytestmark = pytest.mark.asyncio

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _trigger(**settings: Any) -> WebhookTrigger:
    return WebhookTrigger(RecordingJobCreator(), WebhookConfig(**settings))


def _jobs(trigger: WebhookTrigger) -> list[Any]:
    creator: Any = trigger.job_creator
    return list(creator.jobs)


def _schema(app: FastAPI) -> Any:
    return app.openapi()["paths"][JOBS]["post"]["requestBody"]["content"]["application/json"]["schema"]


async def test_only_allowed_queues_can_be_asked_for() -> None:
    trigger = _trigger(allowed_queues=["mail", "default"])

    async with calling(trigger) as client:
        answers = [await client.post(JOBS, json={**JOB, "queue_name": name}) for name in ("mail", "default", "billing")]
        unnamed = await client.post(JOBS, json=JOB)

    assert [answer.status_code for answer in (*answers, unnamed)] == [202, 202, 403, 202]
    assert (answers[2].json()["code"], answers[2].json()["detail"]) == (
        "queue_not_allowed",
        "Queue 'billing' not allowed",
    )


async def test_a_job_type_that_is_not_allowed_is_refused_before_its_queue() -> None:
    async with calling(_trigger(allowed_queues=["mail"], allowed_job_types=["report"])) as client:
        refused = await client.post(JOBS, json={**JOB, "queue_name": "billing"})

    assert refused.json()["code"] == "job_type_not_allowed"


async def test_the_usual_queue_is_refused_where_it_is_not_in_the_list() -> None:
    async with calling(_trigger(allowed_queues=["mail"])) as client:
        refused = await client.post(JOBS, json=JOB)

    assert (refused.status_code, refused.json()["code"]) == (403, "queue_not_allowed")


async def test_the_application_works_the_queues_that_may_be_asked_for() -> None:
    assert _trigger(allowed_queues=["mail"]).queue_names == {"mail"}


@pytest.mark.parametrize(("priority", "status"), [(-1, 400), (0, 202), (5, 202), (6, 400)])
async def test_a_priority_beyond_the_range_is_refused(priority: int, status: int) -> None:
    async with calling(_trigger(priority_range=(0, 5))) as client:
        answer = await client.post(JOBS, json={**JOB, "priority": priority})

    assert answer.status_code == status


async def test_the_document_shows_the_range_of_priorities() -> None:
    priority = _schema(application(_trigger(priority_range=(-2, 5))))["properties"]["priority"]

    assert (priority["minimum"], priority["maximum"]) == (-2, 5)


@pytest.mark.parametrize(("extra_fields", "status"), [("forbid", 400), ("ignore", 202)])
async def test_members_that_mean_nothing_are_refused_or_overlooked(extra_fields: str, status: int) -> None:
    trigger = _trigger(extra_fields=extra_fields)

    async with calling(trigger) as client:
        answer = await client.post(JOBS, json={**JOB, "sent_by": "an older client"})

    assert answer.status_code == status
    assert ("additionalProperties" in _schema(application(trigger))) == (extra_fields == "forbid")


async def test_an_overlooked_member_is_not_in_the_job() -> None:
    trigger = _trigger(extra_fields="ignore")

    async with calling(trigger) as client:
        await client.post(JOBS, json={**JOB, "sent_by": "an older client"}, headers={"Idempotency-Key": "a"})

    (job,) = _jobs(trigger)
    assert job.payload == JOB["payload"]
    assert job.metadata["idempotency_key"].endswith(":a")


async def test_a_type_without_a_limit_of_its_own_has_the_default_one() -> None:
    trigger = _trigger(default_rate_limit="2/hour", rate_limits={"report": "1/hour"})

    async with calling(trigger) as client:
        mails = [(await client.post(JOBS, json=JOB)).status_code for _ in range(3)]
        reports = [(await client.post(JOBS, json={**JOB, "job_type": "report"})).status_code for _ in range(2)]

    assert (mails, reports) == ([202, 202, 429], [202, 429])


async def test_the_limit_of_the_trigger_goes_before_the_default_one() -> None:
    config = WebhookConfig(default_rate_limit="1/hour")

    async with calling(WebhookTrigger(RecordingJobCreator(), config, max_requests_per_minute=2)) as client:
        statuses = [(await client.post(JOBS, json=JOB)).status_code for _ in range(3)]

    assert statuses == [202, 202, 429]


@pytest.mark.parametrize("limit", [{"default_rate_limit": "1/hour"}, {"client_rate_limit": "1/hour"}])
async def test_a_limit_that_is_not_shown_still_says_when_to_come_again(limit: dict[str, str]) -> None:
    trigger = _trigger(rate_limit_headers=False, **limit)

    async with calling(trigger) as client:
        answers = [await client.post(JOBS, json=JOB) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 429]
    assert not any(name.startswith("ratelimit") for answer in answers for name in answer.headers)
    assert int(answers[1].headers["Retry-After"]) > 0


async def test_the_document_does_not_promise_fields_that_are_not_shown() -> None:
    document = application(_trigger(rate_limit_headers=False)).openapi()

    answers = document["paths"][JOBS]["post"]["responses"]
    assert "RateLimit" not in answers["202"]["headers"]
    assert [*answers["429"]["headers"]] == ["X-Request-ID", "Retry-After"]


@pytest.mark.parametrize(
    ("is_trusted", "sent", "kept"),
    [
        (True, TRACE, TRACE),
        (False, TRACE, None),
        (True, None, None),
        (True, TRACE.upper(), None),
        (True, f"{TRACE}, {TRACE}", None),
        (True, "ff" + TRACE[2:], None),
        (True, "00-" + "0" * 32 + TRACE[35:], None),
        (True, TRACE[:36] + "0" * 16 + "-01", None),
    ],
)
async def test_the_callers_trace_is_kept_where_it_is_trusted(
    is_trusted: bool,  # noqa: FBT001 - a parameter of pytest
    sent: str | None,
    kept: str | None,
) -> None:
    trigger = _trigger(trust_traceparent=is_trusted)

    async with calling(trigger) as client:
        answer = await client.post(JOBS, json=JOB, headers={} if sent is None else {"traceparent": sent})

    (job,) = _jobs(trigger)
    assert answer.status_code == 202
    assert job.metadata.get("traceparent") == kept


async def test_the_delivery_log_hides_the_headers_it_is_told_to() -> None:
    trigger = _trigger(redact_headers=["X-Customer-Mail"])

    async with calling(trigger) as client:
        await client.post(JOBS, json=JOB, headers={"X-Customer-Mail": "user@example.com", "X-Shown": "yes"})
        (delivery,) = await trigger.deliveries.list()

    assert delivery.headers["x-customer-mail"] == "[redacted]"
    assert delivery.headers["x-shown"] == "yes"


@pytest.mark.parametrize("setting", ["auth", "status_auth", "admin_auth"])
async def test_the_delivery_log_hides_an_api_key_whatever_its_header_is_called(setting: str) -> None:
    trigger = _trigger(**{setting: APIKey(["the-password-of-the-shop"], header="X-Caller")})

    async with calling(trigger) as client:
        await client.post(JOBS, json=JOB, headers={"X-Caller": "the-password-of-the-shop"})
        (delivery,) = await trigger.deliveries.list()

    assert delivery.headers["x-caller"] == "[redacted]"


async def test_the_routes_can_be_kept_out_of_the_document() -> None:
    trigger = _trigger(include_in_schema=False)

    async with calling(trigger) as client:
        answer = await client.post(JOBS, json=JOB)

    assert answer.status_code == 202
    assert application(trigger).openapi()["paths"] == {}


@pytest.mark.parametrize(
    "setting",
    [
        {"allowed_queues": "mail"},
        {"allowed_queues": []},
        {"allowed_queues": ["two words"]},
        {"priority_range": (1, 5)},
        {"priority_range": (-5, -1)},
        {"priority_range": (5, 0)},
        {"priority_range": (0, 40_000)},
        {"priority_range": 5},
        {"extra_fields": "allow"},
        {"default_rate_limit": "often"},
        {"rate_limit_headers": "no"},
        {"redact_headers": "X-Secret"},
        {"redact_headers": ["X Secret"]},
        {"trust_traceparent": None},
        {"include_in_schema": "no"},
        {"expose_job_types": 1},
    ],
    ids=str,
)
async def test_a_setting_that_cannot_be_is_refused_by_name(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(setting))):
        _trigger(**setting)
