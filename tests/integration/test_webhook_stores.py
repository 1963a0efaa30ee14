"""Two processes behind one load balancer, on the stores that they share."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from portico import compose
from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookTrigger
from portico.compose import Jobs
from tests.unit.adapters.job_trigger.webhooks import JOB, JOBS, application, client_of

pytestmark = pytest.mark.asyncio

MakeJobs = Callable[[], Jobs]
ALLOWED = WebhookConfig(allowed_job_types=["email.send"])


@pytest.fixture
def on_postgres(postgres_url: str, postgres_schema: str) -> MakeJobs:
    return lambda: compose.jobs(postgres_url, workers=False, queue_options={"schema": postgres_schema})


@pytest.fixture
def on_redis(redis_url: str, redis_prefix: str) -> MakeJobs:
    return lambda: compose.jobs(redis_url, workers=False, queue_options={"prefix": redis_prefix})


@pytest.fixture(params=["on_postgres", "on_redis"])
def make_jobs(request: pytest.FixtureRequest) -> MakeJobs:
    made: MakeJobs = request.getfixturevalue(request.param)
    return made


@asynccontextmanager
async def _two_processes(make_jobs: MakeJobs, **options: Any) -> AsyncIterator[tuple[Jobs, list[httpx.AsyncClient]]]:
    first, second = make_jobs(), make_jobs()
    clients = []
    async with AsyncExitStack() as stack:
        for jobs in (first, second):
            trigger = WebhookTrigger(jobs.creator, ALLOWED, **options)
            jobs.add(trigger)
            await stack.enter_async_context(jobs)
            clients.append(await stack.enter_async_context(client_of(application(trigger))))
        yield first, clients


@pytest.mark.webhook_case(71, 72, on="PR")
async def test_of_fifty_at_once_exactly_as_many_pass_as_the_shared_limit_has(make_jobs: MakeJobs) -> None:
    async with _two_processes(make_jobs, rate_limits={"email.send": "10/hour"}) as (jobs, clients):
        answers = await asyncio.gather(*(client.post(JOBS, json=JOB) for client in clients * 25))
        stored = await jobs.creator.list_jobs()

    assert Counter(answer.status_code for answer in answers) == {202: 10, 429: 40}
    assert len(stored) == 10


@pytest.mark.webhook_case(85, on="PR")
async def test_of_many_at_once_with_one_key_there_is_one_job(make_jobs: MakeJobs) -> None:
    async with _two_processes(make_jobs) as (jobs, clients):
        key = {"Idempotency-Key": "order-4711"}
        answers = await asyncio.gather(*(client.post(JOBS, json=JOB, headers=key) for client in clients * 25))
        again = [await client.post(JOBS, json=JOB, headers=key) for client in clients]
        other = await clients[0].post(JOBS, json={**JOB, "payload": {}}, headers=key)
        (job,) = await jobs.creator.list_jobs()

    answered = [answer for answer in answers if answer.status_code != 409]
    assert {answer.status_code for answer in answered} == {202}
    assert {answer.json()["job_id"] for answer in (*answered, *again)} == {str(job.id)}
    assert [answer.headers["Idempotency-Replayed"] for answer in again] == ["true", "true"]
    assert other.status_code == 422


@pytest.mark.webhook_case(35, 36, on="P")
@pytest.mark.parametrize("payload", [b'{"a": "x\\u0000y"}', b'{"\\u0000": 1}', b'{"a": [{"b\\u0000": "\\u0000"}]}'])
async def test_a_character_that_no_store_takes_is_a_bad_request(make_jobs: MakeJobs, payload: bytes) -> None:
    async with _two_processes(make_jobs) as (jobs, (client, _)):
        body = b'{"job_type": "email.send", "payload": %s}' % payload
        refused = await client.post(JOBS, content=body, headers={"Content-Type": "application/json"})
        passed = await client.post(JOBS, json=JOB)
        stored = await jobs.creator.list_jobs()

    assert (refused.status_code, refused.json()["code"], passed.status_code) == (400, "nul_character", 202)
    assert len(stored) == 1
    assert jobs.triggers["webhook"].get_health().errors_count == 0  # type: ignore[attr-defined] # - a webhook has it
