"""From an authentic delivery to its job."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pydantic
import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from portico.adapters.http.sources.providers import PROVIDERS
from portico.adapters.job_trigger.webhook_trigger import (
    Delivery,
    JobMapping,
    WebhookConfig,
    WebhookSource,
    WebhookTrigger,
)
from portico.exceptions import DatabaseError
from portico.ports.clock import Clock
from portico.ports.event_inbox import EventOutcome
from portico.ports.job import Job
from portico.ports.job_creator import JobCreator
from portico.testing import RecordingJobCreator, SignedDelivery, send_signed
from tests.webhook_sources import (
    NOW,
    PROVIDER_NAMES,
    SAMPLES,
    SECRET,
    URL,
    Receiver,
    receiving,
    signed,
    source,
)

pytestmark = pytest.mark.asyncio

EVERY = pytest.mark.parametrize("provider", PROVIDER_NAMES)
# without an id each delivery is a job, as their page says
WITHOUT_ID = frozenset({"zoom", "websub"})


@EVERY
async def test_the_job_says_what_happened_and_holds_what_was_sent(provider: str) -> None:
    sample = SAMPLES[provider]

    async with receiving(source(provider)) as receiver:
        await receiver.receive(signed(provider))

    payload = receiver.jobs[0].payload
    assert set(payload) == {"event", "delivery_id", "data"}
    assert payload["event"] == sample.event
    assert (payload["delivery_id"] is None) is (provider in WITHOUT_ID)
    sent = sample.body
    if provider in {"hubspot", "sendgrid"}:
        sent = sent[0]
    elif provider == "line":
        sent = sent["events"][0]
    if provider == "mailgun":
        assert payload["data"].items() >= sent.items()
    else:
        assert payload["data"] == sent


@EVERY
async def test_a_delivery_that_comes_again_has_its_job_already(provider: str) -> None:
    delivery = signed(provider)

    async with receiving(source(provider)) as receiver:
        first = await receiver.receive(delivery)
        second = await receiver.receive(delivery)

    assert (first.is_success, second.is_success) == (True, True)
    assert len(receiver.jobs) == (2 if provider in WITHOUT_ID else 1)


async def test_an_answer_tells_the_job_and_what_became_of_the_delivery() -> None:
    delivery = signed("github", delivery_id="d1")

    async with receiving(source("github")) as receiver:
        first = await receiver.receive(delivery)
        second = await receiver.receive(delivery)

    jobs = [{"job_id": str(receiver.jobs[0].id), "job_type": "webhook.received"}]
    assert (first.status_code, first.json()) == (202, {"status": "accepted", "delivery_id": "d1", "jobs": jobs})
    assert (second.status_code, second.json()) == (200, {"status": "duplicate", "delivery_id": "d1", "jobs": jobs})
    assert receiver.jobs[0].metadata == {"idempotency_key": "webhook:webhook.received:x:d1"}


@pytest.mark.webhook_case(102)
async def test_fifty_at_once_are_one_job_and_fifty_successes() -> None:
    delivery = signed("github")

    async with receiving(source("github")) as receiver:
        responses = await asyncio.gather(*(receiver.receive(delivery) for _ in range(50)))

    assert all(response.is_success for response in responses)
    assert len(receiver.jobs) == 1


@pytest.mark.webhook_case(103)
async def test_one_id_at_two_sources_is_two_deliveries() -> None:
    other = WebhookSource(name="y", provider="github", secrets=[SECRET], job_type="webhook.received")
    delivery = signed("github", delivery_id="d1")

    async with receiving(source("github"), other) as receiver:
        await receiver.receive(delivery)
        await receiver.client.post("/webhooks/sources/y", content=delivery.body, headers=delivery.headers)

    assert len(receiver.jobs) == 2


@pytest.mark.webhook_case(104)
async def test_an_id_whose_job_could_not_be_created_is_free_again() -> None:
    delivery = signed("github")

    async with receiving(source("github")) as receiver:
        receiver.creator.fail_next(DatabaseError("no space left in hunter2"))
        failed = await receiver.receive(delivery)
        repeated = await receiver.receive(delivery)
        health = receiver.trigger.get_health()

    assert (failed.status_code, failed.json()["detail"]) == (500, "Job creation failed")
    assert "hunter2" not in failed.text
    assert repeated.status_code == 202
    assert (health.errors_count, health.jobs_created_count) == (1, 1)


class NeverCreates(RecordingJobCreator):
    @override
    async def create_job(self, *args: Any, **kwargs: Any) -> Job:
        await asyncio.sleep(3_600)
        raise NotImplementedError


async def test_a_store_that_does_not_answer_is_a_failure_in_time() -> None:
    async with receiving(source("github"), creator=NeverCreates(), enqueue_timeout_seconds=0.01) as receiver:
        response = await receiver.receive(signed("github"))

    assert response.status_code == 500


@pytest.mark.webhook_case(106)
async def test_events_have_jobs_and_others_are_ignored_with_success() -> None:
    events = {
        "push": JobMapping(job_type="code.pushed", queue_name="code", priority=7, payload=lambda delivery: {"a": 1}),
        "pull_request.opened": "review.begin",
        "pull_request": "review.note",
    }

    async with receiving(source("github", events=events, priority=3, queue_name="main")) as receiver:
        for event, action in (("push", None), ("pull_request", "opened"), ("pull_request", "closed")):
            body = {"ref": "main"} if action is None else {"action": action}
            assert (await receiver.receive(signed("github", event=event, body=body))).status_code == 202
        ignored = await receiver.receive(signed("github", event="star"))
        health = receiver.trigger.get_health()
        await receiver.trigger.stop()
        (kept,) = await receiver.trigger.inbox.list_events(outcome=EventOutcome.FILTERED)

    jobs = [(job.job_type, job.queue_name, job.priority) for job in receiver.jobs]
    assert jobs == [("code.pushed", "code", 7), ("review.begin", "main", 3), ("review.note", "main", 3)]
    assert receiver.jobs[0].payload == {"a": 1}
    assert (ignored.status_code, ignored.json()["status"]) == (200, "ignored")
    assert health.filtered_count == 1
    assert kept.reason == "no job for the event 'star'"


async def test_a_named_event_goes_before_the_job_of_every_event() -> None:
    async with receiving(source("stripe", events={"charge.succeeded": "charge.book"}, job_type="stripe.other")) as it:
        await it.receive(signed("stripe"))
        await it.receive(signed("stripe", body={"id": "evt_2", "type": "charge.failed"}))

    assert [job.job_type for job in it.jobs] == ["charge.book", "stripe.other"]


@pytest.mark.webhook_case(107)
async def test_a_ping_of_github_is_ignored_unless_it_is_asked_for() -> None:
    async with receiving(source("github")) as receiver:
        response = await receiver.receive(signed("github", event="ping"))
        assert (response.status_code, response.json()["status"]) == (200, "ignored")
        assert receiver.jobs == []
    async with receiving(source("github", events={"ping": "github.pinged"})) as receiver:
        await receiver.receive(signed("github", event="ping"))
        assert len(receiver.jobs) == 1


def _of_main(delivery: Delivery) -> bool:
    return bool(delivery.data["ref"] == "main")


@pytest.mark.webhook_case(106)
async def test_a_filter_says_what_is_of_interest() -> None:
    async with receiving(source("github", filter=_of_main)) as receiver:
        other = await receiver.receive(signed("github", body={"ref": "other"}))
        main = await receiver.receive(signed("github", body={"ref": "main"}))
        failing = await receiver.receive(signed("github", body={}))
        health = receiver.trigger.get_health()

    assert (other.status_code, other.json()["status"]) == (200, "ignored")
    assert main.status_code == 202
    assert (failing.status_code, failing.json()["detail"]) == (500, "Job creation failed")
    assert (len(receiver.jobs), health.errors_count, health.filtered_count) == (1, 1, 1)


def _summary(delivery: Delivery) -> dict[str, Any]:
    return {
        "source": delivery.source,
        "provider": delivery.provider,
        "event": delivery.event,
        "bytes": len(delivery.body),
        "agent": delivery.headers["user-agent"],
    }


async def test_a_payload_is_made_of_the_delivery() -> None:
    async with receiving(source("github", payload=_summary)) as receiver:
        await receiver.receive(signed("github"))

    payload = receiver.jobs[0].payload
    assert (payload["source"], payload["provider"], payload["event"]) == ("x", "github", "pull_request")
    assert payload["agent"].startswith("python-httpx")


@pytest.mark.parametrize(("made", "status"), [([1], 500), ({"a": float("nan")}, 400), ({"a": object()}, 400)])
async def test_a_payload_that_is_none_is_an_answer(made: Any, status: int) -> None:
    async with receiving(source("github", payload=lambda delivery: made)) as receiver:
        response = await receiver.receive(signed("github"))

    assert response.status_code == status
    assert receiver.jobs == []


class Order(pydantic.BaseModel):
    amount: int


def _with_orders(config: WebhookConfig) -> Callable[[JobCreator, Clock], WebhookTrigger]:
    def make(creator: JobCreator, clock: Clock) -> WebhookTrigger:
        return WebhookTrigger(creator, config, payload_schemas={"webhook.received": Order}, clock=clock)

    return make


async def test_a_delivery_that_its_schema_refuses_is_kept_with_its_reason() -> None:
    config = WebhookConfig(sources=[source("github", payload=lambda delivery: delivery.data)])
    delivery = signed("github", body={"amount": "hunter2"})

    async with receiving(make_trigger=_with_orders(config)) as receiver:
        refused = await receiver.receive(delivery)
        accepted = await receiver.receive(signed("github", body={"amount": 5, "more": 1}))
        (kept,) = await receiver.trigger.inbox.list_events(outcome=EventOutcome.REJECTED)

    assert refused.status_code == 400
    assert "hunter2" not in refused.text
    assert accepted.status_code == 202
    assert receiver.jobs[0].payload == {"amount": 5}
    assert kept.body == delivery.body
    assert kept.reason is not None
    assert kept.reason.startswith("Invalid payload: payload.amount")
    assert kept.headers["x-hub-signature-256"] == "[redacted]"


async def test_the_limit_of_a_job_type_holds_for_sources() -> None:
    async with receiving(source("github"), rate_limits={"webhook.received": "2/minute"}) as receiver:
        statuses = [(await receiver.receive(signed("github"))).status_code for _ in range(3)]
        await receiver.clock.advance(60)
        later = await receiver.receive(signed("github"))

    assert statuses == [202, 202, 429]
    assert later.status_code == 202


@pytest.mark.parametrize(
    ("dedup", "jobs"), [("body", 1), ("header:X-Order", 2), ("body:order.id", 1), ("body:missing", 2)]
)
async def test_an_identity_may_be_elsewhere(dedup: str, jobs: int) -> None:
    async with receiving(source("zoom", dedup=dedup)) as receiver:
        for number in ("1", "2"):
            delivery = signed("zoom", body={"event": "a", "order": {"id": 7}})
            headers = {**delivery.headers, "x-order": number}
            await receiver.receive(delivery, headers=headers)

    assert len(receiver.jobs) == jobs


@pytest.mark.webhook_case(105)
async def test_equal_bodies_under_new_ids_are_logged_or_dropped() -> None:
    for guard, jobs, lines in (("off", 3, 0), ("log", 3, 1), ("drop", 1, 0)):
        async with receiving(source("github", replay_guard=guard)) as receiver:
            with capture_logs() as logs:
                await receiver.receive(signed("github", delivery_id="d1"))
                await receiver.receive(signed("github", delivery_id="d1"))
                await receiver.receive(signed("github", delivery_id="d2"))
                await receiver.receive(signed("github", delivery_id="d3"))

        assert len(receiver.jobs) == jobs
        assert [line["event"] for line in logs].count("webhook_body_repeated") == lines


async def test_several_events_of_one_body_are_several_jobs() -> None:
    body = [
        {"event": "delivered", "sg_event_id": "s1"},
        {"event": "opened", "sg_event_id": "s2"},
        {"event": "bounce", "sg_event_id": "s3"},
    ]
    again = [body[1], {"event": "delivered", "sg_event_id": "s4"}]
    events = {"delivered": "mail.delivered", "opened": "mail.opened"}

    async with receiving(source("sendgrid", events=events)) as receiver:
        first = await receiver.receive(signed("sendgrid", body=body))
        second = await receiver.receive(signed("sendgrid", body=again))
        third = await receiver.receive(signed("sendgrid", body=again))

    assert [job.job_type for job in receiver.jobs] == ["mail.delivered", "mail.opened", "mail.delivered"]
    assert (first.json()["status"], len(first.json()["jobs"])) == ("accepted", 2)
    assert (second.json()["status"], len(second.json()["jobs"])) == ("accepted", 2)
    assert third.json()["status"] == "duplicate"


async def test_of_several_events_one_that_is_refused_does_not_hold_up_the_others() -> None:
    config = WebhookConfig(sources=[source("sendgrid", payload=lambda delivery: delivery.data)])
    body = [{"sg_event_id": "s1", "amount": "x"}, {"sg_event_id": "s2", "amount": 5}]

    async with receiving(make_trigger=_with_orders(config)) as receiver:
        response = await receiver.receive(signed("sendgrid", body=body))
        (kept,) = await receiver.trigger.inbox.list_events(outcome=EventOutcome.REJECTED)

    assert response.status_code == 202
    assert len(response.json()["jobs"]) == 1
    assert kept.source_id == "s1"


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("github", b"{"),
        ("github", b""),
        ("github", b'{"a": 1, "a": 2}'),
        ("github", b'{"a": NaN}'),
        ("github", b'{"a": "\\u0000"}'),
        ("stripe", b"\xff"),
        ("line", b"{}"),
        ("line", b"[]"),
        ("sendgrid", b'"text"'),
    ],
)
async def test_an_authentic_body_that_cannot_be_read_is_a_bad_request(provider: str, body: bytes) -> None:
    async with receiving(source(provider)) as receiver:
        response = await receiver.receive(signed(provider, body=body, content_type="application/json"))

    assert response.status_code == 400
    assert receiver.jobs == []


@pytest.mark.webhook_case(108)
@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"payload=%7B%22ref%22%3A%22main%22%7D", "application/x-www-form-urlencoded", 202),
        (b"payload=%7B%22ref%22", "application/x-www-form-urlencoded", 400),
        (b"other=1", "application/x-www-form-urlencoded", 400),
        (b"payload={}&payload={}", "application/x-www-form-urlencoded", 400),
        (b"payload=%ff", "application/x-www-form-urlencoded", 400),
        (b'{"ref":"main"}', "application/json; charset=utf-8", 202),
        (b'{"ref":"main"}', "application/vnd.github+json", 202),
        (b'{"ref":"main"}', "text/plain", 415),
        (b'{"ref":"main"}', "multipart/form-data; boundary=x", 415),
        (b'{"ref":"main"}', "application/json; charset=utf-16", 415),
    ],
)
async def test_github_sends_json_or_a_form_with_a_payload(body: bytes, content_type: str, status: int) -> None:
    async with receiving(source("github", events={"push": "code.pushed"})) as receiver:
        response = await receiver.receive(signed("github", body=body, content_type=content_type, event="push"))

    assert response.status_code == status
    if status == 202:
        assert receiver.jobs[0].payload["data"] == {"ref": "main"}


async def test_a_form_is_its_fields() -> None:
    async with receiving(source("slack", job_type="slack.command")) as receiver:
        await receiver.receive(signed("slack", body=b"command=%2Fdeploy&text=now&tag=a&tag=b"))

    assert receiver.jobs[0].payload == {
        "event": "/deploy",
        "delivery_id": None,
        "data": {"command": "/deploy", "text": "now", "tag": ["a", "b"]},
    }


async def test_a_body_beyond_the_limit_of_its_source_is_refused() -> None:
    async with receiving(source("stripe"), max_body_bytes=1_000) as receiver:
        assert (await receiver.receive(signed("stripe", body=b"x" * 1_001))).status_code == 413
    async with receiving(source("stripe", max_body_bytes=100_000), max_body_bytes=1_000) as receiver:
        body = {"id": "evt_1", "type": "a", "x": "x" * 99_000}
        assert (await receiver.receive(signed("stripe", body=body))).status_code == 202
    async with receiving(source("github")) as receiver:
        large = json.dumps({"x": "x" * 2_000_000}).encode()
        assert (await receiver.receive(signed("github", body=large))).status_code == 202


async def test_nothing_is_stored_of_a_stranger() -> None:
    async with receiving(source("github"), delivery_log="full") as receiver:
        await receiver.receive(signed("github", secret="another-secret-of-32-characters!"))
        events = await receiver.trigger.inbox.list_events()
        health = receiver.trigger.get_health()

    assert events == []
    assert health.rejected_count == 1


async def test_a_recorded_delivery_with_a_broken_id_does_not_fill_the_store() -> None:
    delivery = signed("github")

    async with receiving(source("github")) as receiver:
        for broken in (b"", b"\xe9", b"x" * 5_000):
            fields = [(name.encode(), value.encode()) for name, value in delivery.headers.items()]
            fields = [field for field in fields if field[0] != b"x-github-delivery"]
            response = await receiver.receive(delivery, headers=[*fields, (b"x-github-delivery", broken)])
            assert response.status_code == 401
        await receiver.trigger.stop()
        assert await receiver.trigger.inbox.list_events() == []


async def test_a_provider_that_waits_shortly_is_answered_in_time() -> None:
    hasty = replace(PROVIDERS["slack"], patience_seconds=0.01)
    slack = source("slack")
    vars(slack)["described_provider"] = hasty

    async with receiving(slack, creator=NeverCreates()) as receiver:
        assert (await receiver.receive(signed("slack"))).status_code == 500


@pytest.mark.parametrize(("delivery_log", "has_body"), [("metadata", False), ("full", True)])
async def test_a_delivery_is_recorded_without_its_secrets(delivery_log: str, *, has_body: bool) -> None:
    delivery = signed("github", delivery_id="d1")
    headers = {**delivery.headers, "Authorization": "Bearer hunter2", "Cookie": "hunter2"}

    async with receiving(source("github"), delivery_log=delivery_log) as receiver:
        await receiver.receive(delivery, headers=headers)
        job = receiver.jobs[0]
        await receiver.trigger.stop()
        (event,) = await receiver.trigger.inbox.list_events()

    assert (event.source_id, event.outcome, event.job_ids) == ("d1", EventOutcome.ACCEPTED, (job.id,))
    assert event.headers[":path"] == "/webhooks/sources/x"
    assert event.body == (delivery.body if has_body else None)
    assert "hunter2" not in repr(event.headers)
    assert delivery.headers["x-hub-signature-256"] not in repr(event.headers)


async def test_the_header_of_a_described_signature_is_not_recorded() -> None:
    delivery = signed("hmac")

    async with receiving(source("hmac")) as receiver:
        await receiver.receive(delivery)
        await receiver.trigger.stop()
        (event,) = await receiver.trigger.inbox.list_events()

    assert event.headers["x-signature"] == "[redacted]"


async def test_before_the_start_and_after_the_stop_nothing_is_taken() -> None:
    async with receiving(source("github")) as receiver:
        await receiver.trigger.stop()
        stopped = await receiver.receive(signed("github"))
        await receiver.trigger.start()
        started = await receiver.receive(signed("github"))

    assert (stopped.status_code, started.status_code) == (503, 202)


@pytest.mark.webhook_case(116)
async def test_a_source_that_is_switched_off_is_as_none() -> None:
    switched_off = WebhookSource(name="y", provider="github", secrets=[SECRET], job_type="a", enabled=False)
    delivery = signed("github")

    async with receiving(source("github"), switched_off) as receiver:
        answers = [
            await receiver.client.post(path, content=delivery.body, headers=delivery.headers)
            for path in ("/webhooks/sources/y", "/webhooks/sources/unknown")
        ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


async def test_a_slash_at_the_end_is_no_redirect() -> None:
    delivery = signed("github")

    async with receiving(source("github")) as receiver:
        response = await receiver.client.post("/webhooks/sources/x/", content=delivery.body, headers=delivery.headers)

    assert response.status_code == 202


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
async def test_only_post_is_allowed(method: str) -> None:
    async with receiving(source("github")) as receiver:
        response = await receiver.client.request(method, "/webhooks/sources/x")

    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"


@pytest.mark.parametrize("provider", ["github", "twilio"])
async def test_a_delivery_can_be_tried(provider: str) -> None:
    async with receiving(source(provider)) as receiver:
        response = await send_signed(
            receiver.client,
            "/webhooks/sources/x",
            provider,
            SECRET,
            SAMPLES[provider].body,
            now=NOW,
            public_url=URL,
        )

    assert response.is_success
    assert len(receiver.jobs) == 1


@pytest.mark.webhook_case(115)
async def test_cloud_events_come_in_three_shapes() -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "paid", "data": {"amount": 5}}
    bearer = {"authorization": f"Bearer {SECRET}"}
    binary = {
        **bearer,
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/shop",
        "ce-type": "paid",
        "ce-note": "caf%C3%A9 %2541",
        "content-type": "application/json",
    }
    structured_type = {**bearer, "content-type": "application/cloudevents+json"}
    batch_type = {**bearer, "content-type": "application/cloudevents-batch+json"}

    async with receiving(source("cloudevents", batch_limit=2)) as receiver:
        structured = await _post(receiver, json.dumps(event).encode(), structured_type)
        same = await _post(receiver, b'{"amount": 5}', binary)
        other = await _post(receiver, b'{"amount": 5}', {**binary, "ce-id": "2"})
        batch = [{**event, "id": "3"}, {**event, "id": "4"}]
        batched = await _post(receiver, json.dumps(batch).encode(), batch_type)
        too_many = await _post(receiver, json.dumps([event] * 3).encode(), batch_type)
    async with receiving(source("cloudevents")) as strict:
        refused = await _post(strict, json.dumps(batch).encode(), batch_type)

    assert (structured.status_code, same.status_code, other.status_code) == (202, 200, 202)
    assert (batched.status_code, too_many.status_code, refused.status_code) == (202, 413, 415)
    assert len(receiver.jobs) == 4
    assert receiver.jobs[0].payload == {"event": "paid", "delivery_id": "/shop 1", "data": event}
    assert receiver.jobs[1].payload["data"]["note"] == "caf\u00e9 %41"
    assert receiver.jobs[1].payload["data"]["datacontenttype"] == "application/json"


async def _post(receiver: Receiver, body: bytes, headers: dict[str, str]) -> Any:
    return await receiver.receive(SignedDelivery(headers=headers, body=body))


@pytest.mark.webhook_case(115)
@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"ce-specversion": "0.3"}, 400),
        ({"ce-note": "%C0%A0"}, 400),
        ({"ce-note": "%00"}, 400),
        ({"ce-datacontenttype": "application/json"}, 400),
        ({"ce-id": ""}, 400),
        ({"ce-source": "%20"}, 400),
        ({"ce-bad_name": "x"}, 400),
        ({"ce-type": None}, 415),
        ({"content-type": "application/cloudevents+xml"}, 415),
        ({"content-type": "application/cloudevents+json"}, 400),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": "Basic d3Jvbmc6d3Jvbmc="}, 401),
    ],
)
async def test_what_is_no_cloud_event_is_refused(changes: dict[str, str | None], status: int) -> None:
    headers = {
        "authorization": f"Bearer {SECRET}",
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/shop",
        "ce-type": "paid",
        **changes,
    }

    async with receiving(source("cloudevents")) as receiver:
        response = await _post(receiver, b"{}", {name: value for name, value in headers.items() if value is not None})

    assert response.status_code == status
    assert receiver.jobs == []
