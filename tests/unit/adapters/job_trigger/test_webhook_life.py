"""Subclasses, and calls that a stop meets."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import HTTPException
from structlog.testing import capture_logs
from typing_extensions import override

from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookJobRequest, WebhookTrigger
from portico.ports.job import Job
from portico.ports.job_creator import JobCreator
from portico.testing import RecordingJobCreator
from tests.unit.adapters.job_trigger.webhooks import JOB, JOBS, calling

pytestmark = pytest.mark.asyncio

ALLOWED = WebhookConfig(allowed_job_types=["email.send", "report.generate"])
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def trigger(creator: RecordingJobCreator) -> WebhookTrigger:
    return WebhookTrigger(creator, ALLOWED)


class PriorityByType(WebhookTrigger):
    """The founding document's listing, which returns nothing."""

    @override
    async def _create_job_endpoint(self, request: WebhookJobRequest) -> Any:
        priority_map = {"payment.process": 10, "email.send": 5}
        priority = priority_map.get(request.job_type, request.priority)
        await self.job_creator.create_job(job_type=request.job_type, payload=request.payload, priority=priority)


class Limited(WebhookTrigger):
    def __init__(self, job_creator: JobCreator, max_requests: int = 1) -> None:
        super().__init__(job_creator=job_creator)
        self.max_requests = max_requests
        self.requests = 0

    @override
    async def _create_job_endpoint(self, request: WebhookJobRequest) -> Job:
        if self.requests >= self.max_requests:
            raise HTTPException(status_code=429, detail=f"Rate limit exceeded for {request.job_type}")
        self.requests += 1
        return await self.job_creator.create_job(job_type=request.job_type, payload=request.payload)


class Urgent(WebhookTrigger):
    @override
    async def _create_job_endpoint(self, request: WebhookJobRequest) -> Job:
        return await super()._create_job_endpoint(request.model_copy(update={"priority": 9}))


class Failing(WebhookTrigger):
    @override
    async def _create_job_endpoint(self, request: WebhookJobRequest) -> Job:
        message = "hunter2"
        raise LookupError(message)


async def test_an_overridden_endpoint_may_return_nothing(creator: RecordingJobCreator) -> None:
    async with calling(PriorityByType(creator)) as client:
        response = await client.post(JOBS, json=JOB)

    assert response.status_code == 202
    assert response.json()["job_id"] is None
    assert creator.jobs[0].priority == 5


async def test_an_overridden_endpoint_answers_and_is_counted(creator: RecordingJobCreator) -> None:
    trigger = Limited(creator)

    async with calling(trigger) as client:
        accepted = await client.post(JOBS, json=JOB)
        refused = await client.post(JOBS, json=JOB)

    assert accepted.json()["job_id"] == str(creator.jobs[0].id)
    assert (refused.status_code, refused.json()["detail"]) == (429, "Rate limit exceeded for email.send")
    health = trigger.get_health()
    assert (health.jobs_created_count, health.rejected_count, health.errors_count) == (1, 1, 0)


async def test_an_overridden_endpoint_that_goes_on_is_counted_once(creator: RecordingJobCreator) -> None:
    trigger = Urgent(creator)

    async with calling(trigger) as client:
        await client.post(JOBS, json=JOB, headers={"Idempotency-Key": "abc"})

    assert creator.jobs[0].priority == 9
    assert creator.jobs[0].metadata == {"idempotency_key": "webhook:email.send:abc"}
    assert trigger.get_health().jobs_created_count == 1


async def test_an_overridden_endpoint_that_raises_is_a_failed_creation(creator: RecordingJobCreator) -> None:
    trigger = Failing(creator)

    async with calling(trigger) as client:
        with capture_logs() as logs:
            response = await client.post(JOBS, json=JOB)

    assert (response.status_code, response.json()["detail"]) == (500, "Job creation failed")
    assert trigger.get_health().errors_count == 1
    assert "hunter2" not in str(logs)


class SlowCreator(RecordingJobCreator):
    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self.released = asyncio.Event()

    @override
    async def create_job(self, *args: Any, **kwargs: Any) -> Job:
        self.reached.set()
        await self.released.wait()
        return await super().create_job(*args, **kwargs)


async def _stop_during_a_call(
    trigger: WebhookTrigger, creator: SlowCreator, client: httpx.AsyncClient
) -> tuple[asyncio.Task[httpx.Response], asyncio.Task[None]]:
    call = asyncio.create_task(client.post(JOBS, json=JOB))
    await creator.reached.wait()
    stop = asyncio.create_task(trigger.stop())
    while trigger.is_running:
        await asyncio.sleep(0)
    return call, stop


@pytest.mark.webhook_case(81)
async def test_stop_waits_for_calls_under_way_and_takes_no_new_ones() -> None:
    creator = SlowCreator()
    trigger = WebhookTrigger(creator)
    async with calling(trigger) as client:
        call, stop = await _stop_during_a_call(trigger, creator, client)
        late = await client.post(JOBS, json=JOB)
        assert not stop.done()
        creator.released.set()
        await stop
        assert (await call).status_code == 202

    assert late.status_code == 503
    assert len(creator.jobs) == 1


async def test_a_call_that_outlasts_the_grace_is_cut_off_and_creates_nothing_afterwards() -> None:
    creator = SlowCreator()
    trigger = WebhookTrigger(creator)
    trigger._grace_seconds = 0.01
    async with calling(trigger) as client:
        call, stop = await _stop_during_a_call(trigger, creator, client)
        await stop
        creator.released.set()
        assert (await call).status_code == 503

    assert creator.jobs == []


async def test_a_request_whose_body_arrives_after_the_stop_creates_nothing(
    trigger: WebhookTrigger, creator: RecordingJobCreator
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield json.dumps(JOB).encode()
        await trigger.stop()

    async with calling(trigger) as client:
        response = await client.post(JOBS, content=body(), headers=JSON)

    assert response.status_code == 503
    assert creator.jobs == []
