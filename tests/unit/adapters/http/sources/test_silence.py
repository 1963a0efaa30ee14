"""What logs, answers and reprs show of a delivery: never a secret, a signature or a piece of the body."""

import json
import logging
from typing import Any

import pytest
from structlog.testing import capture_logs

from portico.exceptions import DatabaseError
from portico.testing import SignedDelivery
from tests.signed_vectors import VECTORS
from tests.silence import NEEDLE
from tests.webhook_sources import PATH, PROVIDER_NAMES, SAMPLES, proof_headers, receiving, signed, source

pytestmark = pytest.mark.asyncio


def _broken(delivery: SignedDelivery, name: str) -> dict[str, str]:
    return {**delivery.headers, name: delivery.headers[name][:-1] + "A"}


@pytest.mark.webhook_case(117)
@pytest.mark.parametrize("provider", PROVIDER_NAMES)
async def test_a_delivery_is_not_heard_of(provider: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sample = SAMPLES[provider]
    delivery = signed(provider)
    # an id is no secret
    proofs = [name for name in proof_headers(provider, delivery) if not name.endswith("-id")]
    heard: list[str] = []

    with capture_logs() as logs:
        async with receiving(source(provider)) as receiver:
            heard.append((await receiver.receive(delivery)).text)
            for name in proofs:
                heard.append((await receiver.receive(delivery, headers=_broken(delivery, name))).text)  # noqa: PERF401 - in turn
            heard.append((await receiver.receive(delivery, body=delivery.body + NEEDLE.encode())).text)
            receiver.creator.fail_next(DatabaseError("the disk is full"))
            heard.append((await receiver.receive(signed(provider))).text)
            heard.append(repr(receiver.trigger.config))
            heard.append(repr(await receiver.trigger.inbox.list_events()))

    assert logs
    heard += [json.dumps(logs, default=str), caplog.text]
    secrets = [sample.secret, *(delivery.headers[name] for name in proofs)]
    hidden = [NEEDLE, *(secret for secret in secrets if len(secret) > 15)]
    for text in heard:
        assert [word for word in hidden if word in text] == []


@pytest.mark.webhook_case(117)
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
async def test_an_official_signature_is_not_heard_of(vector: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    with capture_logs() as logs:
        settings = {"topics": (), "minimum_secret_bytes": 1, "secrets": [vector.secret], **vector.settings}
        async with receiving(source(vector.provider, **settings), now=vector.now) as receiver:
            path = f"{PATH}?{vector.query}" if vector.query else PATH
            for body in (vector.body, vector.body + b" "):
                await receiver.client.post(path, content=body, headers=dict(vector.headers))

    heard = json.dumps(logs, default=str) + caplog.text
    proofs = [value for value in vector.headers.values() if len(value) > 20 and "/" not in value[:20]]
    for word in (vector.secret, vector.body.decode(), *proofs):
        assert word not in heard or len(word) < 6


async def test_a_traceback_of_a_failure_has_places_and_no_values() -> None:
    def failing(delivery: Any) -> dict[str, Any]:
        message = f"cannot read {delivery.data}"
        raise LookupError(message)

    with capture_logs() as logs:
        async with receiving(source("github", payload=failing)) as receiver:
            response = await receiver.receive(signed("github", body={"note": NEEDLE}))

    assert response.status_code == 500
    (line,) = (line for line in logs if line["event"] == "webhook_job_creation_failed")
    assert "failing" in line["traceback"]
    assert NEEDLE not in json.dumps(logs, default=str)
