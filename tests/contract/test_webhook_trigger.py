"""The webhook trigger keeps what every trigger promises."""

import httpx
from fastapi import FastAPI
from typing_extensions import override

from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookTrigger
from portico.ports.job_creator import JobCreator
from portico.ports.job_trigger import JobTrigger
from portico.testing.contracts.job_trigger import JobTriggerContract

JOB = {"job_type": "email.send", "payload": {"recipient": "user@example.com"}}


class TestWebhookTrigger(JobTriggerContract):
    redelivers = False
    quiet_seconds = 0.0

    @override
    def make_trigger(self, job_creator: JobCreator) -> WebhookTrigger:
        self._deliveries = 0
        return WebhookTrigger(job_creator, WebhookConfig(allowed_job_types=["email.send"]))

    @override
    async def emit(self, trigger: JobTrigger) -> None:
        self._deliveries += 1
        await self._post(trigger)

    @override
    async def emit_again(self, trigger: JobTrigger) -> None:
        await self._post(trigger)

    async def _post(self, trigger: JobTrigger) -> None:
        assert isinstance(trigger, WebhookTrigger)
        app = FastAPI()
        app.include_router(trigger.router)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            await client.post("/webhooks/jobs", json=JOB, headers={"Idempotency-Key": f"delivery-{self._deliveries}"})
