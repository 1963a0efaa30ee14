"""What a source lets in, and what it answers, as it is configured."""

from typing import Any

import httpx
import pytest
from fastapi import Response
from fastapi.responses import PlainTextResponse

from portico.adapters.job_trigger.webhook_trigger import Settled, WebhookConfig, WebhookTrigger
from portico.exceptions import ConfigurationError, DatabaseError
from portico.ports.event_inbox import EventOutcome
from portico.testing import RecordingJobCreator
from tests.unit.adapters.job_trigger.webhooks import application
from tests.webhook_sources import PATH, Receiver, receiving, signed, source

pytestmark = pytest.mark.asyncio


async def _receive(receiver: Receiver, count: int = 1, **options: Any) -> list[httpx.Response]:
    """Send deliveries with different ids."""
    return [
        await receiver.receive(signed("github", **options), headers=_with_id(signed("github", **options), number))
        for number in range(count)
    ]


def _with_id(delivery: Any, number: int) -> dict[str, str]:
    return {**delivery.headers, "x-github-delivery": f"delivery-{number}"}


# --- events without a job


async def test_an_event_without_a_job_is_refused_and_kept_where_that_is_asked_for() -> None:
    async with receiving(source("github", events={"push": "build"}, on_unmatched="reject")) as receiver:
        (answer,) = await _receive(receiver)
        (delivery,) = await receiver.trigger.deliveries.list()

    assert (answer.status_code, answer.json()["code"]) == (400, "event_not_expected")
    assert delivery.outcome is EventOutcome.REJECTED
    assert delivery.body is not None
    assert receiver.jobs == []


async def test_what_a_provider_sends_to_try_the_connection_is_never_refused() -> None:
    async with receiving(source("github", events={"push": "build"}, on_unmatched="reject")) as receiver:
        (answer,) = await _receive(receiver, event="ping")

    assert (answer.status_code, answer.json()["status"]) == (200, "ignored")


async def test_of_several_events_one_without_a_job_does_not_hold_up_the_others() -> None:
    body = [{"event": "bounce", "sg_event_id": "a"}, {"event": "open", "sg_event_id": "b"}]

    async with receiving(source("sendgrid", events={"bounce": "disable"}, on_unmatched="reject")) as receiver:
        answer = await receiver.receive(signed("sendgrid", body=body))
        kept = await receiver.trigger.deliveries.list(outcome=EventOutcome.REJECTED)

    assert answer.status_code == 202
    assert [job.job_type for job in receiver.jobs] == ["disable"]
    assert [event.reason for event in kept] == ["Event is not expected"]


# --- addresses


@pytest.mark.parametrize(
    ("peer", "chain", "status"),
    [
        ("192.0.2.7", None, 202),
        ("::ffff:192.0.2.7", None, 202),
        ("2001:db8::1", None, 202),
        ("198.51.100.1", None, 403),
        ("198.51.100.1", "192.0.2.7", 403),
        ("10.0.0.1", "192.0.2.7", 202),
        ("10.0.0.1", "192.0.2.7, 198.51.100.1", 403),
        ("a socket file", None, 403),
    ],
)
async def test_only_allowed_addresses_may_deliver(peer: str, chain: str | None, status: int) -> None:
    github = source("github", allowed_ips=["192.0.2.0/24", "2001:db8::/32"])
    delivery = signed("github")
    headers = {**delivery.headers, **({} if chain is None else {"X-Forwarded-For": chain})}

    async with receiving(github, trusted_proxies=["10.0.0.0/8"]) as receiver:
        transport = httpx.ASGITransport(app=application(receiver.trigger), client=(peer, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://portico.test") as client:
            answer = await client.post(PATH, content=delivery.body, headers=headers)

    assert answer.status_code == status
    assert len(receiver.jobs) == (status == 202)
    if status == 403:
        assert answer.json()["code"] == "ip_not_allowed"


async def test_a_hub_at_another_address_is_asked_nothing() -> None:
    hub = source("websub", allowed_ips=["192.0.2.1"])

    async with receiving(hub) as receiver:
        query = {"hub.mode": "subscribe", "hub.topic": "https://example.com/feed", "hub.challenge": "echo"}
        answer = await receiver.client.get(PATH, params=query)

    assert (answer.status_code, answer.json()["code"]) == (403, "ip_not_allowed")


async def test_nothing_is_kept_of_a_delivery_from_another_address() -> None:
    async with receiving(source("github", allowed_ips=["192.0.2.1"])) as receiver:
        await _receive(receiver)

        assert await receiver.trigger.deliveries.list() == []


# --- limits


async def test_a_source_has_a_limit_of_its_own() -> None:
    async with receiving(source("github", rate_limit="2/minute")) as receiver:
        answers = await _receive(receiver, 3)
        await receiver.clock.advance(int(answers[2].headers["Retry-After"]))
        later = await receiver.receive(signed("github"), headers=_with_id(signed("github"), 2))

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[2].json()["violated-policies"] == ["source"]
    assert later.status_code == 202


async def test_what_is_forged_or_ignored_takes_nothing_from_the_limit_of_a_source() -> None:
    limited = source("github", rate_limit="1/minute", events={"push": "build"})
    forged = signed("github", event="push", secret="another-secret-of-the-same-size")

    async with receiving(limited) as receiver:
        statuses = [(await receiver.receive(forged)).status_code]
        statuses += [answer.status_code for answer in await _receive(receiver)]
        statuses += [answer.status_code for answer in await _receive(receiver, event="push")]

    assert statuses == [401, 200, 202]


async def test_a_sender_that_asks_is_told_of_the_limit_of_its_source() -> None:
    asked = source("cloudevents", rate_limit="30/minute", abuse_protection=["example.com"])

    async with receiving(asked) as receiver:
        answer = await receiver.client.options(PATH, headers={"WebHook-Request-Origin": "example.com"})

    assert answer.headers["WebHook-Allowed-Rate"] == "30"


# --- answers


async def test_a_source_answers_in_its_own_words() -> None:
    def accepted(settled: Settled) -> Response:
        return PlainTextResponse(f"[{settled.outcome}] {len(settled.jobs)}")

    async with receiving(source("github", response=accepted)) as receiver:
        delivery = signed("github")
        answers = [await receiver.receive(delivery) for _ in range(2)]

    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "[accepted] 1"), (200, "[duplicate] 1")]


async def test_an_answer_that_is_given_to_all_has_its_header_fields_once() -> None:
    same = PlainTextResponse("ok")

    async with receiving(source("github", response=lambda _settled: same)) as receiver:
        answers = await _receive(receiver, 2)

    assert [answer.headers.get_list("X-Request-ID") for answer in answers] == [
        [answer.headers["X-Request-ID"]] for answer in answers
    ]
    assert answers[0].headers["X-Request-ID"] != answers[1].headers["X-Request-ID"]


async def test_an_answer_that_is_none_is_a_failure_and_the_job_is_there() -> None:
    wrong: Any = lambda _settled: "ok"  # noqa: E731 - what a user may write

    async with receiving(source("github", response=wrong)) as receiver:
        (answer,) = await _receive(receiver)

    assert answer.status_code == 500
    assert len(receiver.jobs) == 1


@pytest.mark.parametrize(("settings", "status"), [({}, 500), ({"enqueue_error_status": 503}, 503)])
async def test_a_job_that_was_not_created_is_answered_as_the_source_says(settings: dict[str, Any], status: int) -> None:
    creator = RecordingJobCreator()
    creator.fail_next(DatabaseError("no store"))

    async with receiving(source("github", **settings), creator=creator) as receiver:
        (failed,) = await _receive(receiver)
        (again,) = await _receive(receiver)

    assert (failed.status_code, failed.json()["detail"]) == (status, "Job creation failed")
    assert ("Retry-After" in failed.headers) == (status == 503)
    assert again.status_code == 202


async def test_a_refused_delivery_is_not_answered_as_a_failure() -> None:
    async with receiving(source("github", enqueue_error_status=503)) as receiver:
        answer = await receiver.receive(signed("github", body=b"not json"))

    assert answer.status_code == 400


@pytest.mark.parametrize(("settings", "status"), [({}, 404), ({"disabled_status": 410}, 410)])
async def test_a_disabled_source_is_not_there_or_gone(settings: dict[str, Any], status: int) -> None:
    async with receiving(source("github", enabled=False, **settings)) as receiver:
        (answer,) = await _receive(receiver)

    assert answer.status_code == status
    assert receiver.jobs == []
    if status == 410:
        assert answer.json()["code"] == "source_disabled"
        assert answer.headers["X-Request-ID"] == answer.json()["request_id"]


# --- media types


@pytest.mark.parametrize(
    ("content_types", "sent", "status"),
    [
        ((), "text/plain", 415),
        (["text/plain"], "text/plain; charset=utf-8", 202),
        (["text/plain"], "application/json", 415),
        (["text/plain", "application/json"], "application/json", 202),
        (["application/x-www-form-urlencoded"], "application/x-www-form-urlencoded", 202),
        (["text/plain"], None, 415),
    ],
)
async def test_a_sender_may_call_its_bodies_what_its_source_says(
    content_types: list[str], sent: str | None, status: int
) -> None:
    delivery = signed("stripe")
    headers = {name: value for name, value in delivery.headers.items() if name != "content-type"}

    async with receiving(source("stripe", content_types=content_types)) as receiver:
        answer = await receiver.receive(
            delivery, headers=headers if sent is None else {**headers, "content-type": sent}
        )

    assert answer.status_code == status
    if status == 202:
        assert receiver.jobs[0].payload["data"]["id"] == "evt_1"
    elif content_types:
        assert answer.headers["Accept-Post"] == ", ".join(content_types)


async def test_the_document_is_true_of_sources_with_answers_types_and_ends_of_their_own() -> None:
    config = WebhookConfig(
        sources=[
            source("github", name="own", content_types=["text/plain"], response=lambda _settled: Response()),
            source("github", name="gone", enabled=False, disabled_status=410),
        ]
    )
    paths = application(WebhookTrigger(RecordingJobCreator(), config)).openapi()["paths"]

    own, gone = (paths[f"/webhooks/sources/{name}"]["post"] for name in ("own", "gone"))
    assert [*own["requestBody"]["content"]] == ["text/plain"]
    assert "2XX" in own["responses"]
    assert gone["deprecated"] is True
    assert "410" in gone["responses"]


async def _answer(_settled: Settled) -> Response:
    return Response()


@pytest.mark.parametrize(
    "setting",
    [
        {"on_unmatched": "warn"},
        {"on_unmatched": "reject", "job_type": "build"},
        {"allowed_ips": "192.0.2.1"},
        {"allowed_ips": ["github.com"]},
        {"rate_limit": "many"},
        {"response": _answer},
        {"enqueue_error_status": 502},
        {"disabled_status": 403},
        {"content_types": "text/plain"},
        {"content_types": ["plain"]},
        {"content_types": ["text/plain"], "provider": "cloudevents"},
    ],
    ids=str,
)
async def test_a_setting_that_cannot_be_is_refused_by_name(setting: dict[str, Any]) -> None:
    described = {"provider": "github", "events": {"push": "build"}, **setting}

    with pytest.raises(ConfigurationError, match=rf"source 'x'.*{next(iter(setting))}|{next(iter(setting))}.*'x'"):
        source(**described)
