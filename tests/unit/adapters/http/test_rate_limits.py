"""Limits of job types: quotas, header fields, and what happens while nobody can count."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from portico import compose
from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookTrigger
from portico.adapters.store.memory.rate_limiter import MemoryRateLimiter
from portico.exceptions import DatabaseError
from portico.ports.rate_limiter import RateDecision, RateLimiter
from portico.testing import FakeClock, RecordingJobCreator
from tests.unit.adapters.job_trigger.webhooks import JOB, JOBS, application, calling, client_of

pytestmark = pytest.mark.asyncio

START = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.webhook_case(68)
async def test_a_type_has_the_quota_that_names_it_and_others_the_general_one() -> None:
    config = WebhookConfig(rate_limits={"email.send": "2/hour"})
    trigger = WebhookTrigger(
        RecordingJobCreator(), config, max_requests_per_minute=1, rate_limits={"report.generate": "3/10 seconds"}
    )

    async with calling(trigger) as client:
        passed = {
            job_type: [(await client.post(JOBS, json={**JOB, "job_type": job_type})).status_code for _ in range(4)]
            for job_type in ("email.send", "report.generate", "cleanup")
        }

    assert {job_type: statuses.count(202) for job_type, statuses in passed.items()} == {
        "email.send": 2,
        "report.generate": 3,
        "cleanup": 1,
    }


@pytest.mark.webhook_case(67, 69)
async def test_answers_say_what_is_left_and_when_there_is_more() -> None:
    clock = FakeClock(START)
    trigger = WebhookTrigger(RecordingJobCreator(), WebhookConfig(rate_limits={"email.send": "2/minute"}), clock=clock)

    async with calling(trigger) as client:
        first = await client.post(JOBS, json=JOB)
        await clock.advance(12.5)
        await client.post(JOBS, json=JOB)
        refused = await client.post(JOBS, json=JOB)
        unlimited = await client.post(JOBS, json={**JOB, "job_type": "other"})

    assert (first.headers["RateLimit-Policy"], first.headers["RateLimit"]) == ('"job_type";q=2;w=60', '"job_type";r=1')
    assert refused.status_code == 429
    assert (refused.headers["Retry-After"], refused.headers["RateLimit"]) == ("48", '"job_type";r=0;t=48')
    assert refused.json()["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert refused.json()["violated-policies"] == ["job_type"]
    assert "RateLimit" not in unlimited.headers


class Broken(RateLimiter):
    """Fails until it is mended."""

    def __init__(self, clock: FakeClock, *, hangs: bool = False) -> None:
        self.is_broken = True
        self.asked = 0
        self._hangs = hangs
        self._limiter = MemoryRateLimiter(clock=clock)

    @override
    async def acquire(self, key: str, limit: int, window_seconds: float) -> RateDecision:
        self.asked += 1
        if not self.is_broken:
            return await self._limiter.acquire(key, limit, window_seconds)
        if self._hangs:
            await asyncio.Event().wait()
        raise DatabaseError("the server at 10.0.0.5 does not answer")


def _trigger(limiter: RateLimiter, clock: FakeClock, on_error: Any) -> WebhookTrigger:
    config = WebhookConfig(allowed_job_types=["email.send"], rate_limit_on_error=on_error)
    return WebhookTrigger(RecordingJobCreator(), config, max_requests_per_minute=2, rate_limiter=limiter, clock=clock)


@pytest.mark.webhook_case(73)
@pytest.mark.parametrize(
    ("on_error", "statuses"), [("local", [202, 202, 429, 429]), ("allow", [202] * 4), ("deny", [503] * 4)]
)
async def test_while_the_limiters_store_fails_the_chosen_thing_happens(on_error: str, statuses: list[int]) -> None:
    clock = FakeClock(START)
    broken = Broken(clock)

    async with calling(_trigger(broken, clock, on_error)) as client:
        with capture_logs() as logs:
            answers = [await client.post(JOBS, json=JOB) for _ in range(4)]

    assert [answer.status_code for answer in answers] == statuses
    assert [line["instead"] for line in logs if line["event"] == "rate_limiter_unavailable"] == [on_error]
    assert broken.asked == 1
    assert "10.0.0.5" not in "".join(answer.text for answer in answers)


async def test_a_limiter_that_is_back_counts_again() -> None:
    clock = FakeClock(START)
    broken = Broken(clock)

    async with calling(_trigger(broken, clock, "local")) as client:
        for _ in range(2):
            await client.post(JOBS, json=JOB)
        broken.is_broken = False
        await clock.advance(5)
        with capture_logs() as logs:
            statuses = [(await client.post(JOBS, json=JOB)).status_code for _ in range(3)]

    assert statuses == [202, 202, 429]
    assert "rate_limiter_recovered" in [line["event"] for line in logs]


async def test_of_many_at_once_one_asks_whether_the_limiter_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portico.runtime.guarded_rate_limiter._PATIENCE_SECONDS", 0.01)
    clock = FakeClock(START)
    broken = Broken(clock, hangs=True)

    async with calling(_trigger(broken, clock, "allow")) as client:
        await client.post(JOBS, json=JOB)
        await clock.advance(5)
        await asyncio.gather(*(client.post(JOBS, json=JOB) for _ in range(10)))

    assert broken.asked == 2


async def test_a_limiter_that_hangs_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portico.runtime.guarded_rate_limiter._PATIENCE_SECONDS", 0.01)
    clock = FakeClock(START)

    async with asyncio.timeout(5), calling(_trigger(Broken(clock, hangs=True), clock, "local")) as client:
        assert (await client.post(JOBS, json=JOB)).status_code == 202


async def test_composed_webhooks_of_two_processes_share_a_limit(tmp_path: Path) -> None:
    processes = [compose.jobs(f"sqlite:///{tmp_path}/jobs.db", workers=False) for _ in range(2)]
    triggers = [WebhookTrigger(jobs.creator, max_requests_per_minute=10) for jobs in processes]
    for jobs, trigger in zip(processes, triggers, strict=True):
        jobs.add(trigger)

    async with processes[0], processes[1]:
        clients = [client_of(application(trigger)) for trigger in triggers]
        answers = await asyncio.gather(*(client.post(JOBS, json=JOB) for client in clients * 25))

    assert [answer.status_code for answer in answers].count(202) == 10
