"""What is asked of every request before its body is read."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from portico.adapters.job_trigger.webhook_trigger import Bearer, WebhookConfig, WebhookTrigger
from portico.exceptions import ConfigurationError
from portico.testing import FakeClock, RecordingJobCreator
from tests.triggers import SlowJobCreator
from tests.unit.adapters.job_trigger.webhooks import JOB, JOBS, application, calling

pytestmark = pytest.mark.asyncio

START = datetime(2030, 1, 1, tzinfo=UTC)


async def _never_read() -> AsyncIterator[bytes]:
    pytest.fail("the body was read")
    yield b""  # type: ignore[unreachable] # - makes it a generator


@pytest.mark.webhook_case(51, 52)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Long": "x" * 15_000}, 202),
        ({"X-Long": "x" * 17_000}, 431),
        ({f"X-{number}": "x" for number in range(80)}, 202),
        ({f"X-{number}": "x" for number in range(101)}, 431),
    ],
)
async def test_too_many_headers_are_refused(headers: dict[str, str], status: int) -> None:
    async with calling(WebhookTrigger(RecordingJobCreator())) as client:
        response = await client.post(JOBS, json=JOB, headers=headers)

    assert response.status_code == status
    assert (response.headers.get("Connection") == "close") == (status == 431)


@pytest.mark.webhook_case(62)
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("hooks.example", 202),
        ("HOOKS.example:8443", 202),
        ("evil.example", 400),
        ("", 400),
        ("hooks.example.evil", 400),
    ],
)
async def test_only_allowed_hosts_are_answered(host: str, status: int) -> None:
    config = WebhookConfig(allowed_hosts=["hooks.example"])

    async with calling(WebhookTrigger(RecordingJobCreator(), config)) as client:
        response = await client.post(JOBS, json=JOB, headers={"Host": host})

    assert response.status_code == status
    assert "evil" not in response.text


@pytest.mark.webhook_case(61)
@pytest.mark.parametrize(
    ("origin", "allowed", "status"),
    [
        ("https://evil.example", [], 403),
        ("null", [], 403),
        ("http://portico.test", [], 202),
        ("https://app.example", ["https://app.example"], 202),
        ("https://app.example.evil", ["https://app.example"], 403),
        ("https://anywhere.example", ["*"], 202),
        ("http://[", [], 403),
    ],
)
async def test_a_page_of_another_site_sends_nothing(origin: str, allowed: list[str], status: int) -> None:
    creator = RecordingJobCreator()

    async with calling(WebhookTrigger(creator, WebhookConfig(allowed_origins=allowed))) as client:
        response = await client.post(JOBS, json=JOB, headers={"Origin": origin})

    assert response.status_code == status
    assert len(creator.jobs) == (status == 202)


async def test_what_is_refused_at_the_gate_is_not_read_and_not_kept() -> None:
    trigger = WebhookTrigger(RecordingJobCreator(), WebhookConfig(delivery_log="full"))

    async with calling(trigger) as client:
        with capture_logs() as logs:
            headers = {"Origin": "https://evil.example", "Content-Type": "application/json"}
            response = await client.post(JOBS, content=_never_read(), headers=headers)

        assert await trigger.deliveries.list() == []
    assert response.json()["code"] == "origin_not_allowed"
    assert trigger.get_health().rejected_count == 1
    assert [line["status"] for line in logs if line["event"] == "invalid_webhook_request"] == [403]


async def test_beyond_the_places_there_are_requests_are_told_to_come_again() -> None:
    creator = SlowJobCreator()
    trigger = WebhookTrigger(creator, WebhookConfig(max_concurrency=2))

    async with calling(trigger) as client:
        under_way = [asyncio.create_task(client.post(JOBS, json=JOB)) for _ in range(2)]
        while trigger._gate._under_way < 2:
            await asyncio.sleep(0)
        refused = await client.post(JOBS, json=JOB)
        creator.may_finish.set()
        answers = await asyncio.gather(*under_way)
        later = await client.post(JOBS, json=JOB)

    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert int(refused.headers["Retry-After"]) >= 1
    assert [answer.status_code for answer in [*answers, later]] == [202] * 3
    assert trigger.get_health().errors_count == 0


# --- clients


async def _statuses(config: dict[str, Any], calls: list[tuple[str, str | None]]) -> list[int]:
    """Post from each peer with its X-Forwarded-For."""
    trigger = WebhookTrigger(RecordingJobCreator(), WebhookConfig(**config), clock=FakeClock(START))
    statuses = []
    await trigger.start()
    for peer, chain in calls:
        transport = httpx.ASGITransport(app=application(trigger), client=(peer, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://portico.test") as client:
            headers = {} if chain is None else {"X-Forwarded-For": chain}
            statuses.append((await client.post(JOBS, json=JOB, headers=headers)).status_code)
    await trigger.stop()
    return statuses


ONE = {"client_rate_limit": "1/minute"}
BEHIND = {**ONE, "trusted_proxies": ["10.0.0.0/8", "::1"]}


async def test_a_client_has_a_limit_of_its_own() -> None:
    assert await _statuses(ONE, [("192.0.2.1", None), ("192.0.2.1", None), ("192.0.2.2", None)]) == [202, 429, 202]


@pytest.mark.webhook_case(74)
async def test_who_is_not_trusted_cannot_choose_its_address() -> None:
    calls = [("192.0.2.1", f"198.51.100.{number}") for number in range(5)]

    assert await _statuses(BEHIND, [*calls]) == [202, 429, 429, 429, 429]


@pytest.mark.webhook_case(75)
async def test_behind_trusted_proxies_the_last_untrusted_address_counts() -> None:
    chains = [
        ("10.0.0.1", "198.51.100.1"),
        ("10.0.0.2", "203.0.113.9, 198.51.100.1"),
        ("::1", "198.51.100.1, 10.9.9.9"),
        ("10.0.0.1", "198.51.100.1, 198.51.100.2"),
    ]

    assert await _statuses(BEHIND, [*chains]) == [202, 429, 429, 202]


@pytest.mark.webhook_case(76)
async def test_addresses_of_one_subscriber_and_of_both_notations_are_one_client() -> None:
    calls = [("2001:db8:1:1::1", None), ("2001:db8:1:1:ffff::2", None), ("2001:db8:1:2::1", None)]
    mapped = [("1.2.3.4", None), ("::ffff:1.2.3.4", None), ("::ffff:102:304", None)]

    assert await _statuses(ONE, [*calls, *mapped]) == [202, 429, 202, 202, 429, 429]


@pytest.mark.webhook_case(77)
@pytest.mark.parametrize(
    "chain", ["garbage", "x" * 10_240, "fe80::1%eth0", "1.2.3.4, ", ",", "1.2.3.4:99:9", "[::1", "256.1.1.1"]
)
async def test_a_chain_that_cannot_be_read_counts_for_the_proxy(chain: str) -> None:
    assert await _statuses(BEHIND, [("10.0.0.1", chain), ("10.0.0.1", None)]) == [202, 429]


async def test_a_port_behind_an_address_is_not_part_of_it() -> None:
    calls = [("10.0.0.1", "198.51.100.1:5555"), ("10.0.0.1", "198.51.100.1"), ("10.0.0.1", "[2001:db8::1]:80")]

    assert await _statuses(BEHIND, [*calls]) == [202, 429, 202]


async def test_a_client_beyond_its_limit_is_told_when_to_come_again() -> None:
    clock = FakeClock(START)
    trigger = WebhookTrigger(RecordingJobCreator(), WebhookConfig(**ONE), clock=clock)  # type: ignore[arg-type] # - a table of settings

    async with calling(trigger) as client:
        await client.post(JOBS, json=JOB)
        await clock.advance(20)
        refused = await client.post(JOBS, json=JOB)
        await clock.advance(int(refused.headers["Retry-After"]))
        later = await client.post(JOBS, json=JOB)

    assert refused.json()["violated-policies"] == ["client"]
    assert refused.headers["RateLimit"] == '"client";r=0;t=40'
    assert (refused.headers["Retry-After"], later.status_code) == ("40", 202)


# --- request ids


@pytest.mark.webhook_case(125)
@pytest.mark.parametrize(
    ("sent", "is_kept"),
    [("a-1_b.2", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ('"><script>', False), ("", False)],
)
async def test_a_request_id_is_the_callers_where_it_is_harmless(sent: str, is_kept: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    async with calling(WebhookTrigger(RecordingJobCreator())) as client:
        accepted = await client.post(JOBS, json=JOB, headers={"X-Request-ID": sent})
        refused = await client.post(JOBS, json={}, headers={"X-Request-ID": sent})

    for response in (accepted, refused):
        assert (response.headers["X-Request-ID"] == sent) == is_kept
        assert response.headers["X-Request-ID"]
    assert refused.json()["request_id"] == refused.headers["X-Request-ID"]
    assert accepted.headers["Cache-Control"] == "no-store"


async def test_request_ids_come_and_go_in_the_header_that_is_configured() -> None:
    config = WebhookConfig(request_id_header="X-Correlation-ID", status_auth=Bearer(["a-token-of-the-shop"]))
    headers = {"X-Correlation-ID": "seven", "X-Request-ID": "eight"}

    async with calling(WebhookTrigger(RecordingJobCreator(), config)) as client:
        answers = [
            await client.post(JOBS, json=JOB, headers=headers),
            await client.post(JOBS, json={}, headers=headers),
            await client.get(f"{JOBS}/7", headers=headers),
        ]

    assert [answer.headers["X-Correlation-ID"] for answer in answers] == ["seven"] * 3
    assert [answer.json()["request_id"] for answer in answers[1:]] == ["seven"] * 2
    assert not any("X-Request-ID" in answer.headers for answer in answers)


@pytest.mark.webhook_case(78)
async def test_the_log_of_a_failure_has_the_request_id_of_its_answer() -> None:
    creator = RecordingJobCreator()
    creator.fail_next(RuntimeError("hunter2"))

    async with calling(WebhookTrigger(creator)) as client:
        with capture_logs() as logs:
            response = await client.post(JOBS, json=JOB)

    (line,) = (line for line in logs if line["event"] == "webhook_job_creation_failed")
    assert line["request_id"] == response.json()["request_id"]
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "setting",
    [
        {"allowed_hosts": "hooks.example"},
        {"trusted_proxies": ["proxy.example"]},
        {"client_rate_limit": "many"},
        {"client_rate_limit": "0/minute"},
        {"rate_limits": {"email.send": "100/fortnight"}},
        {"ipv6_prefix": 0},
        {"max_concurrency": 0},
        {"idempotency": "sometimes"},
        {"rate_limit_on_error": "panic"},
        {"delivery_log": True},
        {"request_id_header": "X Request"},
        {"request_id_header": "X-Api-Key"},
        {"auth": "Bearer abc"},
        {"accept_content_encodings": ["br"]},
        {"accept_content_encodings": "gzip"},
    ],
    ids=json.dumps,
)
async def test_a_setting_that_cannot_be_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(setting))):
        WebhookTrigger(RecordingJobCreator(), WebhookConfig(**setting))


@pytest.mark.webhook_case(70)
async def test_a_thousand_of_other_types_leave_nothing_behind_when_few_are_allowed() -> None:
    config = WebhookConfig(allowed_job_types=["email.send"], auth=Bearer(["a-token-of-the-shop"]))
    trigger = WebhookTrigger(RecordingJobCreator(), config, max_requests_per_minute=5)

    async with calling(trigger) as client:
        for number in range(100):
            await client.post(
                JOBS,
                json={**JOB, "job_type": f"type-{number}"},
                headers={"Authorization": "Bearer a-token-of-the-shop"},
            )

    assert trigger._limits.limiter._limiter._free_at == {}  # type: ignore[attr-defined] # - the one in memory
