"""What a webhook keeps of the requests that it has answered: nothing."""

import asyncio
import gc
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import psutil
import pytest
import structlog
from fastapi import FastAPI
from typing_extensions import override

from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookTrigger
from portico.ports.job import Job
from portico.ports.job_creator import JobCreator
from portico.runtime.clock import SystemClock
from portico.utils.logging import configure_logging
from tests.unit.adapters.job_trigger.webhooks import JOBS, application

pytestmark = pytest.mark.asyncio

GROWTH_MEBIBYTES = 8


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    before = structlog.get_config()
    configure_logging("error")
    yield
    structlog.configure(**before)


class ForgetfulCreator(JobCreator):
    """Creates jobs that nobody keeps."""

    @override
    async def create_job(
        self, job_type: str, payload: dict[str, Any], queue_name: str = "default", priority: int = 0, **kwargs: Any
    ) -> Job:
        job_id = UUID(int=payload["n"] + 1)
        now = datetime.now(UTC)
        return Job(id=job_id, queue_name=queue_name, job_type=job_type, payload=payload, created_at=now)


class HurryingClock(SystemClock):
    """A hundredth of a second passes with each look: what is kept for a minute is kept for some thousand requests."""

    def __init__(self) -> None:
        self._looks = count()

    @override
    def monotonic(self) -> float:
        return next(self._looks) / 100


async def _post(app: FastAPI, number: int) -> int:
    """Call the application as a server does, without the time that a client takes."""
    # every third is of a new type, every second has a key, every fifth is refused
    body = {"job_type": f"type-{number}" if number % 3 == 0 else "email.send", "payload": {"n": number}}
    if number % 5 == 0:
        body["priority"] = "high"
    content = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    if number % 2 == 0:
        headers.append((b"idempotency-key", str(number).encode()))
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {"type": "http", "method": "POST", "path": JOBS, "headers": headers, "query_string": b"", "root_path": ""}
    await app(scope, receive, send)
    return statuses[0]


async def _post_many(app: FastAPI, numbers: Iterator[int], requests: int) -> set[int]:
    statuses = set()
    for _ in range(requests // 100):
        statuses |= {await _post(app, next(numbers)) for _ in range(100)}
        # let what runs behind the answers run
        await asyncio.sleep(0)
    return statuses


def _resident_mebibytes() -> float:
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 1_048_576


@pytest.mark.webhook_case(124, 126)
@pytest.mark.parametrize(
    "requests", [pytest.param(20_000, id="20,000"), pytest.param(1_000_000, id="1,000,000", marks=pytest.mark.soak)]
)
async def test_memory_and_tasks_do_not_grow_with_requests(requests: int) -> None:
    trigger = WebhookTrigger(
        ForgetfulCreator(), WebhookConfig(), max_requests_per_minute=10_000_000, clock=HurryingClock()
    )
    app = application(trigger)
    numbers = count()
    await trigger.start()
    try:
        # what is bounded, the keys of the last minute above all, is full before it is measured
        await _post_many(app, numbers, 25_000)
        tasks, before = len(asyncio.all_tasks()), _resident_mebibytes()
        statuses = await _post_many(app, numbers, requests)
        after = _resident_mebibytes()
    finally:
        await trigger.stop()

    assert statuses == {202, 400}
    assert len(asyncio.all_tasks()) <= tasks
    assert after - before < GROWTH_MEBIBYTES
