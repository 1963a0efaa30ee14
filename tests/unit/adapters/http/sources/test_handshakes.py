"""Questions that providers ask beside their deliveries."""

import hashlib
import hmac
from typing import Any

import pytest

from tests.webhook_sources import PATH, SECRET, receiving, signed, source

pytestmark = pytest.mark.asyncio

TOPIC = "https://example.com/feed"


@pytest.mark.webhook_case(109)
async def test_slack_is_told_its_challenge_when_it_signed_the_question() -> None:
    question = {"type": "url_verification", "challenge": "<script>alert(1)</script>", "token": "x"}
    delivery = signed("slack", body=question)

    async with receiving(source("slack")) as receiver:
        asked = await receiver.receive(delivery)
        unsigned = await receiver.receive(delivery, headers={"content-type": "application/json"})

    assert (asked.status_code, asked.text) == (200, "<script>alert(1)</script>")
    assert asked.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert asked.headers["X-Content-Type-Options"] == "nosniff"
    assert unsigned.status_code == 401
    assert "script" not in unsigned.text
    assert receiver.jobs == []


@pytest.mark.webhook_case(109)
@pytest.mark.parametrize("challenge", [None, 5, "", "x" * 2_000])
async def test_a_challenge_that_is_none_is_not_repeated(challenge: Any) -> None:
    async with receiving(source("slack")) as receiver:
        response = await receiver.receive(signed("slack", body={"type": "url_verification", "challenge": challenge}))

    assert (response.status_code, response.content) == (400, b"")


async def test_slack_is_answered_with_nothing_that_would_be_shown() -> None:
    async with receiving(source("slack")) as receiver:
        response = await receiver.receive(signed("slack"))

    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.webhook_case(110)
async def test_a_header_that_says_retry_suppresses_nothing() -> None:
    delivery = signed("slack")

    async with receiving(source("slack")) as receiver:
        headers = {**delivery.headers, "x-slack-retry-num": "1", "x-slack-retry-reason": "http_timeout"}
        await receiver.receive(delivery, headers=headers)

    assert len(receiver.jobs) == 1


@pytest.mark.webhook_case(111)
@pytest.mark.parametrize(
    ("body", "status", "content"),
    [
        ({"id": "1", "type": 1, "token": "t"}, 200, b'{"type":1}'),
        ({"type": 0, "version": 1}, 204, b""),
    ],
)
async def test_discord_pings_are_answered_and_are_no_jobs(body: Any, status: int, content: bytes) -> None:
    delivery = signed("discord", body=body)

    async with receiving(source("discord")) as receiver:
        ping = await receiver.receive(delivery)
        bad = await receiver.receive(delivery, body=delivery.body + b" ")

    assert (ping.status_code, ping.content) == (status, content)
    assert bad.status_code == 401
    assert receiver.jobs == []


async def test_who_uses_a_command_of_discord_is_asked_to_wait() -> None:
    async with receiving(source("discord")) as receiver:
        command = await receiver.receive(signed("discord"))
        event = {"version": 1, "type": 1, "event": {"type": "ENTITLEMENT_CREATE", "data": {}}}
        happened = await receiver.receive(signed("discord", body=event))

    assert (command.status_code, command.json()) == (200, {"type": 5})
    assert happened.status_code == 204
    assert [job.payload["event"] for job in receiver.jobs] == ["deploy", "ENTITLEMENT_CREATE"]


async def test_zoom_is_shown_that_the_secret_is_known_here() -> None:
    question = {"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}}
    new = "the-new-secret-of-the-source"

    async with receiving(source("zoom", secrets=[SECRET, new])) as receiver:
        response = await receiver.receive(signed("zoom", body=question, secret=new))
        unsigned = await receiver.receive(signed("zoom", body=question, secret="another-secret-of-32-characters!"))

    proof = hmac.new(new.encode(), b"qgg8vlvZRS6UYooatFL8Aw", hashlib.sha256).hexdigest()
    assert response.json() == {"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": proof}
    assert unsigned.status_code == 401
    assert receiver.jobs == []


@pytest.mark.parametrize("token", ["v0:1700000000:{}", "", None, "x" * 300, "a b"])
async def test_zoom_gets_no_signature_of_anything_but_a_token(token: Any) -> None:
    question = {"event": "endpoint.url_validation", "payload": {"plainToken": token}}

    async with receiving(source("zoom")) as receiver:
        response = await receiver.receive(signed("zoom", body=question))

    assert (response.status_code, response.content) == (400, b"")


@pytest.mark.webhook_case(112)
async def test_a_hub_is_told_that_a_topic_is_wanted() -> None:
    question = {"hub.mode": "subscribe", "hub.topic": TOPIC, "hub.challenge": "abc", "hub.lease_seconds": "864000"}

    async with receiving(source("websub")) as receiver:
        wanted = await receiver.client.get("/webhooks/sources/x", params=question)
        slash = await receiver.client.get("/webhooks/sources/x/", params=question)
        unknown = await receiver.client.get(
            "/webhooks/sources/x", params={**question, "hub.topic": "https://example.com/other"}
        )
        removal = await receiver.client.get("/webhooks/sources/x", params={**question, "hub.mode": "unsubscribe"})
        nothing = await receiver.client.get("/webhooks/sources/x")
        await receiver.trigger.stop()
        stopped = await receiver.client.get("/webhooks/sources/x", params=question)

    assert (wanted.status_code, wanted.text, slash.text) == (200, "abc", "abc")
    assert wanted.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert wanted.headers["X-Content-Type-Options"] == "nosniff"
    assert (unknown.status_code, removal.status_code, nothing.status_code) == (404, 404, 404)
    assert stopped.status_code == 503


@pytest.mark.parametrize(
    ("mode", "topic", "status"),
    [
        ("unsubscribe", "https://example.com/other", 200),
        ("unsubscribe", TOPIC, 404),
        ("denied", TOPIC, 404),
        ("", "https://example.com/other", 404),
    ],
)
async def test_a_subscription_ends_when_its_topic_is_no_longer_wanted(mode: str, topic: str, status: int) -> None:
    question = {"hub.mode": mode, "hub.topic": topic, "hub.challenge": "abc"}

    async with receiving(source("websub")) as receiver:
        answer = await receiver.client.get("/webhooks/sources/x", params=question)

    assert (answer.status_code, answer.text == "abc") == (status, status == 200)


async def test_the_answer_to_a_question_says_which_request_it_is_to() -> None:
    question = {"hub.mode": "subscribe", "hub.topic": TOPIC, "hub.challenge": "abc"}

    async with receiving(source("websub")) as receiver:
        answer = await receiver.client.get(
            "/webhooks/sources/x", params=question, headers={"X-Request-ID": "question-1"}
        )

    assert answer.headers["X-Request-ID"] == "question-1"
    assert answer.headers.get_list("Cache-Control") == ["no-store"]


EVENT_GRID = "eventgrid.azure.net"


@pytest.mark.parametrize(
    ("senders", "sender", "allowed"),
    [
        ([EVENT_GRID], EVENT_GRID, EVENT_GRID),
        (["EventGrid.Azure.net"], "EVENTGRID.azure.net", EVENT_GRID),
        (["*"], "anybody.example", "*"),
        ([EVENT_GRID], "evil.example", None),
        ([EVENT_GRID], "", None),
        ([EVENT_GRID], "*", None),
    ],
)
async def test_a_sender_of_cloud_events_is_told_whether_it_may_deliver(
    senders: list[str], sender: str, allowed: str | None
) -> None:
    async with receiving(source("cloudevents", abuse_protection=senders)) as receiver:
        answer = await receiver.client.options(
            PATH, headers={"WebHook-Request-Origin": sender, "WebHook-Request-Callback": "https://evil.example/"}
        )

    assert answer.status_code == (403 if allowed is None else 200)
    assert answer.headers["Allow"] == "POST"
    assert answer.headers.get("WebHook-Allowed-Origin") == allowed
    assert answer.headers.get("WebHook-Allowed-Rate") == (None if allowed is None else "*")
    assert receiver.jobs == []


@pytest.mark.parametrize(("limit", "rate"), [("5/second", "300"), ("90/minute", "90"), ("10/hour", "1")])
async def test_a_sender_is_told_how_fast_it_may_deliver(limit: str, rate: str) -> None:
    limited = source("cloudevents", abuse_protection=["*"], job_type="a", events={"fast": "b"})

    async with receiving(limited, rate_limits={"a": limit}) as receiver:
        answer = await receiver.client.options(PATH, headers={"WebHook-Request-Origin": "example.com"})

    assert answer.headers["WebHook-Allowed-Rate"] == rate


async def test_where_it_was_not_configured_nobody_may_ask() -> None:
    async with receiving(source("cloudevents")) as receiver:
        answer = await receiver.client.options(PATH, headers={"WebHook-Request-Origin": "example.com"})

    assert answer.status_code == 405
    assert "WebHook-Allowed-Origin" not in answer.headers


async def test_twilio_is_told_to_say_nothing() -> None:
    async with receiving(source("twilio")) as receiver:
        response = await receiver.receive(signed("twilio"))

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert response.text.endswith("<Response/>")


@pytest.mark.parametrize("provider", ["mailgun", "paddle", "zoom", "line"])
async def test_who_repeats_everything_but_200_is_told_200(provider: str) -> None:
    async with receiving(source(provider)) as receiver:
        response = await receiver.receive(signed(provider))

    assert (response.status_code, response.json()["status"]) == (200, "accepted")


async def test_line_tries_a_connection_without_events() -> None:
    async with receiving(source("line")) as receiver:
        response = await receiver.receive(signed("line", body={"events": []}))

    assert (response.status_code, response.json()["status"]) == (200, "ignored")
