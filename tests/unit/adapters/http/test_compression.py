"""Compressed bodies, where they are let in: never more of them than the limit."""

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from portico.adapters.job_trigger.webhook_trigger import StandardWebhooks, WebhookConfig, WebhookTrigger
from portico.testing import FakeClock, RecordingJobCreator, sign
from tests.unit.adapters.job_trigger.webhooks import JOB, JOBS, calling
from tests.webhook_sources import NOW, SECRET, STANDARD_SECRET, receiving, source

pytestmark = pytest.mark.asyncio

LIMIT = 100_000
GZIP = {"content-type": "application/json", "content-encoding": "gzip"}
DEFLATE = {"content-type": "application/json", "content-encoding": "Deflate"}
BODY = json.dumps(JOB).encode()


@pytest.fixture
def creator() -> RecordingJobCreator:
    return RecordingJobCreator()


@pytest.fixture
def trigger(creator: RecordingJobCreator) -> WebhookTrigger:
    config = WebhookConfig(accept_content_encodings=["gzip", "deflate"], max_body_bytes=LIMIT, delivery_log="full")
    return WebhookTrigger(creator, config)


@pytest.mark.parametrize(("headers", "compress"), [(GZIP, gzip.compress), (DEFLATE, zlib.compress)])
async def test_a_compressed_body_is_read(
    trigger: WebhookTrigger, creator: RecordingJobCreator, headers: dict[str, str], compress: Callable[[bytes], bytes]
) -> None:
    async with calling(trigger) as client:
        response = await client.post(JOBS, content=compress(BODY), headers=headers)

    assert response.status_code == 202
    assert creator.jobs[0].payload == JOB["payload"]


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "gzip, deflate", "x"])
async def test_what_else_is_not_read_and_the_caller_is_told_what_is(trigger: WebhookTrigger, encoding: str) -> None:
    async with calling(trigger) as client:
        response = await client.post(JOBS, content=BODY, headers={**GZIP, "content-encoding": encoding})

    assert response.status_code == 415
    assert response.headers["Accept-Encoding"] == "gzip, deflate"


@pytest.mark.parametrize("accepted", [(), ("gzip",)])
async def test_two_encodings_are_none_that_is_accepted(creator: RecordingJobCreator, accepted: tuple[str, ...]) -> None:
    trigger = WebhookTrigger(creator, WebhookConfig(accept_content_encodings=accepted))

    async with calling(trigger) as client:
        for second in ("gzip", "identity"):
            headers = [("content-encoding", "gzip"), ("content-encoding", second)]
            assert (await client.post(JOBS, content=gzip.compress(BODY), headers=headers)).status_code == 415


@pytest.mark.webhook_case(54)
async def test_a_bomb_is_refused_before_it_is_large(trigger: WebhookTrigger, creator: RecordingJobCreator) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < LIMIT

    async with calling(trigger) as client:
        tracemalloc.start()
        response = await client.post(JOBS, content=bomb, headers=GZIP)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert (response.status_code, response.json()["limit"]) == (413, LIMIT)
    assert peak < 2_000_000
    assert creator.jobs == []


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
async def test_the_limit_holds_to_the_byte(trigger: WebhookTrigger, size: int) -> None:
    async with calling(trigger) as client:
        response = await client.post(JOBS, content=gzip.compress(BODY.ljust(size)), headers=GZIP)

    assert response.status_code == (202 if size == LIMIT else 413)


@pytest.mark.parametrize(
    "body",
    [BODY, b"", gzip.compress(BODY)[:-1], gzip.compress(BODY) + b"x", gzip.compress(BODY) * 2, zlib.compress(BODY)],
    ids=["plain", "nothing", "cut off", "more", "twice", "another way"],
)
async def test_what_is_not_compressed_so_is_a_bad_request(trigger: WebhookTrigger, body: bytes) -> None:
    async with calling(trigger) as client:
        response = await client.post(JOBS, content=body, headers=GZIP)

    assert (response.status_code, response.json()["code"]) == (400, "invalid_content_encoding")


async def test_the_bytes_as_they_were_sent_are_signed_and_replayed(creator: RecordingJobCreator) -> None:
    config = WebhookConfig(
        auth=StandardWebhooks([STANDARD_SECRET]), accept_content_encodings=["gzip"], delivery_log="full"
    )
    trigger = WebhookTrigger(creator, config, clock=FakeClock(NOW))
    body = gzip.compress(BODY)
    delivery = sign("standard_webhooks", STANDARD_SECRET, body, NOW)

    async with calling(trigger) as client:
        response = await client.post(JOBS, content=body, headers={**delivery.headers, **GZIP})
        (logged,) = await trigger.deliveries.list()
        await trigger.deliveries.replay(logged.id)

    assert response.status_code == 202
    assert logged.body == body
    assert [job.payload for job in creator.jobs] == [JOB["payload"]] * 2


async def test_a_source_verifies_the_bytes_as_they_were_sent() -> None:
    body = gzip.compress(b'{"ref": "main"}', mtime=1)
    delivery = sign("github", SECRET, body, event="push")

    async with receiving(source("github"), accept_content_encodings=["gzip"]) as receiver:
        taken = await receiver.receive(delivery, headers={**delivery.headers, **GZIP})
        broken = await receiver.receive(delivery, body=body[:-1], headers={**delivery.headers, **GZIP})

    assert (taken.status_code, broken.status_code) == (202, 401)
    assert receiver.jobs[0].payload["data"] == {"ref": "main"}


async def test_a_bomb_of_a_source_is_refused() -> None:
    delivery = sign("github", SECRET, gzip.compress(b" " * 2_000_000), event="push")

    async with receiving(source("github", max_body_bytes=LIMIT), accept_content_encodings=["gzip"]) as receiver:
        response = await receiver.receive(delivery, headers={**delivery.headers, **GZIP})

    assert response.status_code == 413
