"""A webhook trigger in an application, and a client that calls it without a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from portico.adapters.job_trigger.webhook_trigger import WebhookTrigger

JOB: dict[str, Any] = {"job_type": "email.send", "payload": {"recipient": "user@example.com"}}
JOBS = "/webhooks/jobs"


def application(trigger: WebhookTrigger) -> FastAPI:
    app = FastAPI()
    app.include_router(trigger.router)
    return app


def client_of(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://portico.test")


@asynccontextmanager
async def calling(trigger: WebhookTrigger) -> AsyncIterator[httpx.AsyncClient]:
    """Start the trigger for the length of the block, and yield a client."""
    await trigger.start()
    try:
        async with client_of(application(trigger)) as client:
            yield client
    finally:
        await trigger.stop()
