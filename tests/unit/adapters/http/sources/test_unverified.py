"""Sources that believe everybody, because somebody has said so."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from portico.adapters.job_trigger.webhook_trigger import WebhookSource
from portico.exceptions import ConfigurationError
from tests.webhook_sources import PATH, receiving

pytestmark = pytest.mark.asyncio

JSON = {"Content-Type": "application/json"}


def _open(provider: str = "hmac", **settings: Any) -> WebhookSource:
    described = {"name": "x", "job_type": "a", "unsafe_no_verification": True, **settings}
    return WebhookSource(provider=provider, **described)


async def test_everybody_is_believed() -> None:
    async with receiving(_open(event="body:type")) as receiver:
        response = await receiver.client.post(PATH, content=b'{"type": "paid"}', headers=JSON)

    assert response.status_code == 202
    assert receiver.jobs[0].payload["event"] == "paid"


async def test_each_start_warns_of_it() -> None:
    with capture_logs() as logs:
        async with receiving(_open(), _open(name="y", enabled=False)):
            pass

    warned = [line["source"] for line in logs if line["event"] == "webhook_source_verifies_nothing"]
    assert warned == ["x"]


async def test_without_the_word_a_secret_is_needed() -> None:
    with pytest.raises(ConfigurationError, match="at least one secret"):
        WebhookSource(name="x", provider="github", job_type="a")


async def test_a_provider_keeps_its_events_and_ids() -> None:
    headers = {**JSON, "X-GitHub-Event": "push", "X-GitHub-Delivery": "d1"}

    async with receiving(_open("github")) as receiver:
        answers = [await receiver.client.post(PATH, content=b"{}", headers=headers) for _ in range(2)]

    assert [answer.json()["status"] for answer in answers] == ["accepted", "duplicate"]


async def test_who_is_asked_for_a_proof_has_none() -> None:
    question = b'{"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}}'

    async with receiving(_open("zoom")) as receiver:
        response = await receiver.client.post(PATH, content=question, headers=JSON)

    assert (response.status_code, response.json()["code"]) == (503, "secret_unavailable")
