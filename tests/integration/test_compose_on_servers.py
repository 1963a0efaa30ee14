"""A composed application on each server: a webhook's job is executed, and its events are kept beside it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from portico import compose, job
from portico.adapters.job_trigger.webhook_trigger import WebhookTrigger
from portico.ports.event_inbox import EventOutcome
from portico.ports.job import JobStatus

pytestmark = pytest.mark.asyncio


@job("note.write")
async def write_note(text: str) -> dict[str, str]:
    return {"written": text}


async def test_on_postgresql(postgres_url: str, postgres_schema: str) -> None:
    await run_one_job(compose.jobs(postgres_url, handlers=[write_note], queue_options={"schema": postgres_schema}))


async def test_on_redis(redis_url: str, redis_prefix: str) -> None:
    await run_one_job(compose.jobs(redis_url, handlers=[write_note], queue_options={"prefix": redis_prefix}))


async def run_one_job(jobs: compose.Jobs) -> None:
    jobs.add(WebhookTrigger(jobs.creator))
    async with client_of(FastAPI(lifespan=jobs.lifespan)) as client:
        headers = {"Idempotency-Key": "one"}
        body = {"job_type": "note.write", "payload": {"text": "hi"}}
        answers = [await client.post("/webhooks/jobs", json=body, headers=headers) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 202]
        (stored,) = {answer.json()["job_id"] for answer in answers}
        async with asyncio.timeout(10):
            while (found := (await jobs.creator.list_jobs())[0]).status is not JobStatus.COMPLETED:
                await asyncio.sleep(0.02)
        assert (str(found.id), found.result) == (stored, {"written": "hi"})
        async with asyncio.timeout(10):
            while not (events := await jobs.inbox.list_events(outcome=EventOutcome.ACCEPTED)):
                await asyncio.sleep(0.02)
        assert events[0].job_ids == (found.id,)


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        yield client
