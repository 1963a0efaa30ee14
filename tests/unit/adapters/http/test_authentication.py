"""Who may ask for jobs."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import HTTPException, Request
from structlog.testing import capture_logs

from portico.adapters.job_trigger.webhook_trigger import (
    APIKey,
    Basic,
    Bearer,
    StandardWebhooks,
    WebhookConfig,
    WebhookTrigger,
)
from portico.exceptions import AuthenticationError, ConfigurationError
from portico.testing import FakeClock, RecordingJobCreator, sign
from tests.unit.adapters.job_trigger.webhooks import JOB, JOBS, calling

pytestmark = pytest.mark.asyncio

OLD, NEW = "an-old-token-of-the-shop", "a-new-token-of-the-shop"
PASSWORD = "correct horse battery staple"


def _basic(pair: str) -> str:
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


async def _post(auth: Any, *headers: tuple[str, str | bytes], creator: Any = None) -> httpx.Response:
    config = WebhookConfig(allowed_job_types=["email.send"], auth=auth)
    async with calling(WebhookTrigger(creator or RecordingJobCreator(), config)) as client:
        fields = [(name, value.encode() if isinstance(value, str) else value) for name, value in headers]
        return await client.post(JOBS, json=JOB, headers=[(name.encode(), value) for name, value in fields])


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        (Bearer([OLD, NEW]), "Authorization", f"Bearer {OLD}"),
        (Bearer([OLD, NEW]), "Authorization", f"bearer {NEW}"),
        (Bearer({"shop": OLD}), "Authorization", f"Bearer {OLD}"),
        (APIKey([OLD]), "X-API-Key", OLD),
        (APIKey([OLD], header="X-Shop-Key"), "x-shop-key", OLD),
        (Basic({"shop": PASSWORD}), "Authorization", _basic(f"shop:{PASSWORD}")),
    ],
)
async def test_who_shows_a_secret_is_let_in(auth: Any, name: str, value: str) -> None:
    assert (await _post(auth, (name, value))).status_code == 202


@pytest.mark.webhook_case(64, 65, 66)
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer ")],
        [("Authorization", f"Bearer {OLD}x")],
        [("Authorization", f"Bearer {OLD[:-1]}")],
        [("Authorization", f"Basic {OLD}")],
        [("Authorization", OLD)],
        [("Authorization", b"Bearer \xff\xfe")],
        [("Authorization", f"Bearer {OLD}"), ("Authorization", f"Bearer {OLD}")],
        [("X-API-Key", OLD)],
    ],
)
async def test_who_does_not_is_told_the_same_whatever_is_wrong(headers: list[tuple[str, str | bytes]]) -> None:
    creator = RecordingJobCreator()

    response = await _post(Bearer([OLD]), *headers, creator=creator)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="webhooks"'
    body = response.json()
    assert body.pop("request_id") == response.headers["X-Request-ID"]
    assert body == {
        "type": "urn:problem-type:webhook:unauthorized",
        "title": "Unauthorized",
        "status": 401,
        "detail": "Unauthorized",
        "code": "unauthorized",
    }
    assert creator.jobs == []


@pytest.mark.parametrize("pair", ["shop:wrong", "other:" + PASSWORD, "shop", ":", f"shop:{PASSWORD}:"])
async def test_a_user_with_another_password_is_not_let_in(pair: str) -> None:
    assert (await _post(Basic({"shop": PASSWORD}), ("Authorization", _basic(pair)))).status_code == 401


@pytest.mark.parametrize("value", ["Basic !!!", "Basic", b"Basic \xff"])
async def test_what_is_no_base64_is_not_let_in(value: str | bytes) -> None:
    assert (await _post(Basic({"shop": PASSWORD}), ("Authorization", value))).status_code == 401


async def test_a_function_says_who_asks_and_may_look_at_the_body() -> None:
    async def authenticate(request: Request) -> str | None:
        return "shop" if b"user@example.com" in await request.body() else None

    creator = RecordingJobCreator()
    response = await _post(authenticate, ("Idempotency-Key", "k"), creator=creator)

    assert response.status_code == 202
    assert creator.jobs[0].metadata == {"idempotency_key": "webhook:email.send:shop:k"}


def _raises(error: Exception) -> Any:
    def authenticate(request: Request) -> str | None:
        raise error

    return authenticate


@pytest.mark.parametrize(
    ("auth", "status"),
    [
        (lambda request: None, 401),
        (lambda request: "", 401),
        (_raises(AuthenticationError("who?")), 401),
        (_raises(HTTPException(403, "not you")), 403),
        (_raises(RuntimeError("hunter2")), 500),
    ],
)
async def test_a_function_that_knows_nobody_or_fails_lets_nobody_in(auth: Any, status: int) -> None:
    creator = RecordingJobCreator()

    with capture_logs() as logs:
        response = await _post(auth, creator=creator)

    assert response.status_code == status
    assert creator.jobs == []
    assert "hunter2" not in response.text + str(logs)


async def test_what_a_stranger_sends_is_counted_and_not_kept() -> None:
    trigger = WebhookTrigger(RecordingJobCreator(), WebhookConfig(auth=Bearer([OLD]), delivery_log="full"))

    async with calling(trigger) as client:
        with capture_logs() as logs:
            await client.post(JOBS, json=JOB, headers={"Authorization": "Bearer hunter2"})

        assert await trigger.deliveries.list() == []
    assert trigger.get_health().rejected_count == 1
    assert "hunter2" not in str(logs)


@pytest.mark.webhook_case(89)
async def test_keys_of_two_callers_do_not_meet() -> None:
    creator = RecordingJobCreator()
    config = WebhookConfig(auth=Bearer({"a": OLD, "a:k": NEW}))

    async with calling(WebhookTrigger(creator, config)) as client:
        for token, key in ((OLD, "k:k"), (NEW, "k"), (OLD, "k:k")):
            await client.post(JOBS, json=JOB, headers={"Authorization": f"Bearer {token}", "Idempotency-Key": key})

    assert len(creator.jobs) == 2


@pytest.mark.parametrize("secrets", [[], [""], ["short"], [" a-secret-with-a-blank"], ["a-secret-with-an-end\n"], OLD])
async def test_a_secret_that_is_none_is_refused_when_configured(secrets: Any) -> None:
    for kind in (Bearer, APIKey):
        with pytest.raises(ConfigurationError) as caught:
            kind(secrets)
        assert OLD not in str(caught.value)


@pytest.mark.webhook_case(117)
async def test_no_secret_shows_in_a_description() -> None:
    config = WebhookConfig(auth=Basic({"shop": PASSWORD}))

    assert PASSWORD not in repr(config)
    assert PASSWORD not in repr(vars(config.auth))


@pytest.mark.parametrize(
    ("auth", "hints"), [(None, ["WebhookConfig(auth=Bearer(...)) lets in who has a token"]), (Bearer([OLD]), [])]
)
async def test_a_webhook_that_asks_nobody_warns_at_its_start(auth: Any, hints: list[str]) -> None:
    trigger = WebhookTrigger(RecordingJobCreator(), WebhookConfig(auth=auth))

    with capture_logs() as logs:
        await trigger.start()
    await trigger.stop()

    assert [line["hint"] for line in logs if line["event"] == "webhook_asks_nobody_who_they_are"] == hints


STANDARD_SECRET = "whsec_" + base64.b64encode(b"a secret of the benchmark's shop").decode()
START = datetime(2030, 1, 1, tzinfo=UTC)


async def _signed(change: Any = None, *, secrets: Any = (STANDARD_SECRET,), after_seconds: float = 0) -> list[Any]:
    """Post a signed request twice, changed, so many seconds after it was signed."""
    creator = RecordingJobCreator()
    clock = FakeClock(START)
    signed = sign("standard_webhooks", STANDARD_SECRET, json.dumps(JOB).encode(), START)
    headers = {**signed.headers, "Content-Type": "application/json"}
    body = signed.body
    if change is not None:
        headers, body = change(headers, body)
    await clock.advance(after_seconds)
    config = WebhookConfig(allowed_job_types=["email.send"], auth=StandardWebhooks(list(secrets)))
    async with calling(WebhookTrigger(creator, config, clock=clock)) as client:
        answers = [await client.post(JOBS, content=body, headers=headers) for _ in range(2)]
    return [*(answer.status_code for answer in answers), len(creator.jobs)]


async def test_a_signed_request_is_let_in_and_is_one_job_however_often_it_is_sent() -> None:
    assert await _signed() == [202, 202, 1]


@pytest.mark.parametrize(
    "change",
    [
        lambda headers, body: (headers, body + b" "),
        lambda headers, body: ({**headers, "webhook-id": "other"}, body),
        lambda headers, body: ({**headers, "webhook-signature": "v1,AAAA"}, body),
        lambda headers, body: ({"Content-Type": "application/json"}, body),
    ],
)
async def test_a_request_that_was_changed_is_not_let_in(change: Any) -> None:
    assert await _signed(change) == [401, 401, 0]


@pytest.mark.parametrize(("seconds", "result"), [(300, [202, 202, 1]), (301, [401, 401, 0])])
async def test_a_signature_is_good_for_five_minutes(seconds: float, result: list[int]) -> None:
    assert await _signed(after_seconds=seconds) == result


@pytest.mark.webhook_case(100)
async def test_while_the_secret_is_not_there_nobody_is_let_in() -> None:
    def unavailable() -> str:
        message = "the vault is sealed"
        raise OSError(message)

    assert await _signed(secrets=[unavailable]) == [503, 503, 0]
