"""Requests that nobody would send on purpose, and from where nobody would expect them."""

import asyncio
import json

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookTrigger
from portico.testing import RecordingJobCreator
from tests.unit.adapters.job_trigger.webhooks import JOB, JOBS, application, calling, client_of

ALLOWED = WebhookConfig(allowed_job_types=["email.send", "report.generate"])
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def trigger(creator: RecordingJobCreator) -> WebhookTrigger:
    return WebhookTrigger(creator, ALLOWED)


def test_a_call_may_come_from_another_event_loop(trigger: WebhookTrigger, creator: RecordingJobCreator) -> None:
    async def post() -> httpx.Response:
        async with client_of(application(trigger)) as client:
            return await client.post(JOBS, json=JOB)

    asyncio.run(trigger.start())
    response = asyncio.run(post())
    asyncio.run(trigger.stop())

    assert response.status_code == 202
    assert len(creator.jobs) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    body=st.binary(max_size=300)
    | st.text('{}[]":,0123456789eE\\u tfn', max_size=80).map(str.encode)
    | st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)).map(
        lambda value: json.dumps(value).encode()
    ),
    content_type=st.binary(max_size=40).filter(lambda value: not {10, 13, 0} & set(value))
    | st.just(b"application/json"),
)
def test_arbitrary_requests_are_refused_and_never_fail(body: bytes, content_type: bytes) -> None:
    creator = RecordingJobCreator()

    async def post() -> int:
        async with calling(WebhookTrigger(creator, ALLOWED)) as client:
            headers = [(b"Content-Type", content_type)]
            return (await client.post(JOBS, content=body, headers=headers)).status_code

    assert asyncio.run(post()) in {400, 415}
    assert creator.jobs == []
