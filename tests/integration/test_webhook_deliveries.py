"""Deliveries that come to several processes at once, on real stores."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter
from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookTrigger
from portico.kits.job import JobService
from portico.ports.job_queue import JobQueueAdapter
from portico.testing import sign
from tests.webhook_sources import SECRET, source

pytestmark = pytest.mark.asyncio

MakeQueue = Callable[[], JobQueueAdapter]
BODY = {"note": "caf\u00e9 \N{GRINNING FACE} e\u0301", "sum": 0.1 + 0.2, "zero": -0.0, "big": 2**63 - 1}


@pytest.fixture
def sqlite_queue(tmp_path: Path) -> MakeQueue:
    return lambda: DatabaseJobQueueAdapter(f"sqlite:///{tmp_path}/jobs.db")


@pytest.fixture
def postgres_queue(postgres_url: str, postgres_schema: str) -> MakeQueue:
    return lambda: DatabaseJobQueueAdapter(postgres_url, schema=postgres_schema)


@pytest.fixture
def redis_queue(redis_url: str, redis_prefix: str) -> MakeQueue:
    return lambda: RedisJobQueueAdapter(redis_url, prefix=redis_prefix)


@pytest.fixture(params=["sqlite_queue", "postgres_queue", "redis_queue"])
def make_queue(request: pytest.FixtureRequest) -> MakeQueue:
    made: MakeQueue = request.getfixturevalue(request.param)
    return made


async def _serve(stack: AsyncExitStack, make_queue: MakeQueue) -> tuple[JobQueueAdapter, httpx.AsyncClient]:
    queue = make_queue()
    await queue.initialize()
    stack.push_async_callback(queue.close)
    trigger = WebhookTrigger(JobService(job_queue=queue), WebhookConfig(sources=[source("github")]))
    await trigger.start()
    stack.push_async_callback(trigger.stop)
    app = FastAPI()
    app.include_router(trigger.router)
    transport = httpx.ASGITransport(app=app)
    client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://portico.test"))
    return queue, client


@pytest.mark.webhook_case(41, 102, on="PR")
async def test_one_delivery_to_two_receivers_fifty_times_is_one_job(make_queue: MakeQueue) -> None:
    delivery = sign("github", SECRET, BODY, event="push", delivery_id="d1")

    async with AsyncExitStack() as stack:
        first_queue, first = await _serve(stack, make_queue)
        _, second = await _serve(stack, make_queue)
        answers = await asyncio.gather(
            *(
                client.post("/webhooks/sources/x", content=delivery.body, headers=delivery.headers)
                for client in (first, second) * 25
            )
        )
        jobs = await first_queue.list_jobs()

    assert all(answer.is_success for answer in answers)
    assert [answer.json()["status"] for answer in answers].count("accepted") == 1
    (job,) = jobs
    assert {answer.json()["jobs"][0]["job_id"] for answer in answers} == {str(job.id)}
    assert repr(job.payload["data"]) == repr(BODY)


async def test_other_deliveries_are_other_jobs(make_queue: MakeQueue) -> None:
    async with AsyncExitStack() as stack:
        queue, client = await _serve(stack, make_queue)
        for delivery_id in ("d1", "d2"):
            delivery = sign("github", SECRET, BODY, event="push", delivery_id=delivery_id)
            await client.post("/webhooks/sources/x", content=delivery.body, headers=delivery.headers)
        jobs = await queue.list_jobs()

    assert len(jobs) == 2
