"""The founding document, pattern 1: a webhook trigger for API integration."""

from typing import Any

import pytest
from fastapi import FastAPI

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookTrigger
from portico.kits.job.job_service import JobService
from tests.docs.running import client_of, jobs_of, running

REQUEST: dict[str, Any] = {
    "job_type": "email.send",
    "payload": {"recipient": "user@example.com"},
    "queue_name": "emails",
    "priority": 5,
}

pytestmark = pytest.mark.asyncio


def _webhook(job_service: JobService) -> tuple[WebhookTrigger, FastAPI]:
    webhook_config = WebhookConfig(
        prefix="/webhooks", allowed_job_types=["email.send", "report.generate", "data.import"]
    )
    webhook_trigger = WebhookTrigger(job_creator=job_service, config=webhook_config)
    app = FastAPI()
    app.include_router(webhook_trigger.router)
    return webhook_trigger, app


async def test_an_external_system_creates_a_job_by_http(job_queue_adapter: MemoryJobQueueAdapter) -> None:
    job_service = JobService(job_queue=job_queue_adapter)
    webhook_trigger, app = _webhook(job_service)

    async with running(webhook_trigger), client_of(app) as client:
        response = await client.post("/webhooks/jobs", json=REQUEST)

    (job,) = await jobs_of(job_service)
    assert (job.job_type, job.payload, job.queue_name, job.priority) == (
        "email.send",
        {"recipient": "user@example.com"},
        "emails",
        5,
    )
    assert response.status_code == 202
    assert response.json() == {
        "job_id": str(job.id),
        "job_type": "email.send",
        "queue_name": "emails",
        "priority": 5,
        "status": "pending",
    }


async def test_a_job_type_that_is_not_on_the_list_is_refused(job_service: JobService) -> None:
    webhook_trigger, app = _webhook(job_service)

    async with running(webhook_trigger), client_of(app) as client:
        response = await client.post("/webhooks/jobs", json={**REQUEST, "job_type": "account.delete"})

    assert response.status_code == 403
    assert response.json()["detail"] == "Job type 'account.delete' not allowed"
    assert await jobs_of(job_service) == []


async def test_the_queue_and_the_priority_may_be_left_out(job_service: JobService) -> None:
    webhook_trigger, app = _webhook(job_service)

    async with running(webhook_trigger), client_of(app) as client:
        await client.post("/webhooks/jobs", json={"job_type": "data.import", "payload": {}})

    (job,) = await jobs_of(job_service)
    assert (job.queue_name, job.priority) == ("default", 0)


async def test_nothing_is_created_before_the_start_and_after_the_stop(job_service: JobService) -> None:
    webhook_trigger, app = _webhook(job_service)

    async with client_of(app) as client:
        before = await client.post("/webhooks/jobs", json=REQUEST)
        async with running(webhook_trigger):
            pass
        after = await client.post("/webhooks/jobs", json=REQUEST)

    assert (before.status_code, after.status_code) == (503, 503)
    assert await jobs_of(job_service) == []
