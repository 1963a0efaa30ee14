"""The founding document, FAQ: rate limits, health, failures."""

from asyncio import Semaphore
from collections import defaultdict
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest
from fastapi import FastAPI, HTTPException
from structlog.testing import capture_logs
from typing_extensions import override

from portico.adapters.job_trigger.schedule_trigger import ScheduleConfig, ScheduleTrigger
from portico.adapters.job_trigger.webhook_trigger import WebhookJobRequest, WebhookTrigger
from portico.exceptions import DatabaseError
from portico.ports import job_trigger
from portico.ports.alert import AlertService
from portico.ports.clock import Clock
from portico.ports.job import Job
from portico.ports.job_creator import JobCreator
from portico.ports.job_trigger import JobTrigger
from portico.testing import FakeClock, RecordingJobCreator
from portico.utils.logging import get_logger
from tests.docs.running import client_of, running

logger = get_logger(__name__)

NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)
NINE = NEW_YEAR + timedelta(hours=9)
DAILY = ScheduleConfig(cron="0 9 * * *", job_type="report.daily", payload={"report": 1})
REQUEST = WebhookJobRequest(job_type="email.send", payload={"data": "test"})

pytestmark = pytest.mark.asyncio


class ListedTrigger(JobTrigger):
    """What the FAQ's listings leave out of their triggers."""

    def __init__(self, job_creator: JobCreator, clock: Clock) -> None:
        self.job_creator = job_creator
        self.clock = clock
        self._running = False

    @override
    async def start(self) -> None:
        self._running = True

    @override
    async def stop(self) -> None:
        self._running = False

    @property
    @override
    def is_running(self) -> bool:
        return self._running


# How do I handle rate limiting in triggers?


class RateLimitedWebhookTrigger(ListedTrigger):
    def __init__(self, job_creator: JobCreator, max_requests_per_minute: int, *, clock: Clock) -> None:
        super().__init__(job_creator, clock)
        self.max_requests = max_requests_per_minute
        self.request_counts: defaultdict[str, list[datetime]] = defaultdict(list)
        self._semaphore = Semaphore(max_requests_per_minute)

    async def _create_job_endpoint(self, request: WebhookJobRequest) -> Job:
        # Check rate limit
        now = self.clock.now()
        one_minute_ago = now - timedelta(minutes=1)

        # Clean old requests
        self.request_counts[request.job_type] = [
            ts for ts in self.request_counts[request.job_type] if ts > one_minute_ago
        ]

        # Check limit
        if len(self.request_counts[request.job_type]) >= self.max_requests:
            raise HTTPException(status_code=429, detail=f"Rate limit exceeded for {request.job_type}")

        # Record request
        self.request_counts[request.job_type].append(now)

        # Create job
        async with self._semaphore:
            return await self.job_creator.create_job(job_type=request.job_type, payload=request.payload)


RATE_LIMITED = pytest.mark.parametrize(
    "trigger_class", [RateLimitedWebhookTrigger, WebhookTrigger], ids=["listing", "package"]
)


async def _answers(trigger: Any, *requests: WebhookJobRequest) -> list[Any]:
    """Return "created", or what the caller is told, for each request."""
    return [await _answer(trigger, request) for request in requests]


async def _answer(trigger: Any, request: WebhookJobRequest) -> Any:
    try:
        await trigger._create_job_endpoint(request)
    except HTTPException as refused:
        return refused.status_code, refused.detail
    return "created"


@RATE_LIMITED
async def test_each_job_type_has_so_many_requests_in_any_minute(trigger_class: Any) -> None:
    clock, creator = FakeClock(NEW_YEAR), RecordingJobCreator()
    trigger = trigger_class(creator, max_requests_per_minute=2, clock=clock)
    other = WebhookJobRequest(job_type="report.generate", payload={})

    refused = (429, "Rate limit exceeded for email.send")

    assert await _answers(trigger, REQUEST) == ["created"]
    await clock.advance(30)
    assert await _answers(trigger, REQUEST, REQUEST, other) == ["created", refused, "created"]
    await clock.advance(31)
    assert await _answers(trigger, REQUEST, REQUEST) == ["created", refused]
    assert len(creator.jobs) == 4


async def test_the_caller_is_told_when_the_next_request_will_pass() -> None:
    clock = FakeClock(NEW_YEAR)
    trigger = WebhookTrigger(RecordingJobCreator(), max_requests_per_minute=1, clock=clock)
    app = FastAPI()
    app.include_router(trigger.router)
    body = REQUEST.model_dump()

    async with running(trigger), client_of(app) as client:
        await client.post("/webhooks/jobs", json=body)
        await clock.advance(20)
        refused = await client.post("/webhooks/jobs", json=body)
        await clock.advance(int(refused.headers["retry-after"]))
        passed = await client.post("/webhooks/jobs", json=body)

    assert (refused.status_code, passed.status_code) == (429, 202)
    assert refused.json()["detail"] == "Rate limit exceeded for email.send"
    assert refused.headers["retry-after"] == "40"


# How do I monitor trigger health?


@dataclass
class TriggerHealth:
    is_running: bool
    last_job_created: datetime | None
    jobs_created_count: int
    errors_count: int


class MonitoredWebhookTrigger(ListedTrigger):
    def __init__(self, job_creator: JobCreator, *, clock: Clock) -> None:
        super().__init__(job_creator, clock)
        self._last_job_created: datetime | None = None
        self._jobs_created = 0
        self._errors = 0

    async def _create_job_endpoint(self, request: WebhookJobRequest) -> Job:
        try:
            job = await self.job_creator.create_job(job_type=request.job_type, payload=request.payload)
        except Exception:
            self._errors += 1
            logger.error("job_creation_error", total_errors=self._errors)  # noqa: TRY400 - raised again
            raise
        # Update metrics
        self._last_job_created = self.clock.now()
        self._jobs_created += 1
        logger.info("job_created", total_jobs=self._jobs_created, total_errors=self._errors)
        return job

    def get_health(self) -> TriggerHealth:
        """Get trigger health status."""
        return TriggerHealth(
            is_running=self._running,
            last_job_created=self._last_job_created,
            jobs_created_count=self._jobs_created,
            errors_count=self._errors,
        )


@pytest.mark.parametrize("trigger_class", [MonitoredWebhookTrigger, WebhookTrigger], ids=["listing", "package"])
async def test_health_counts_jobs_and_failed_creations(trigger_class: Any) -> None:
    clock, creator = FakeClock(NEW_YEAR), RecordingJobCreator()
    trigger = trigger_class(creator, clock=clock)

    async with running(trigger):
        await trigger._create_job_endpoint(REQUEST)
        await clock.advance(60)
        creator.fail_next(DatabaseError("the store is down"))
        with pytest.raises((DatabaseError, HTTPException)):
            await trigger._create_job_endpoint(REQUEST)
        health = trigger.get_health()

    assert (health.is_running, health.last_job_created) == (True, NEW_YEAR)
    assert (health.jobs_created_count, health.errors_count) == (1, 1)
    assert trigger.get_health().is_running is False


async def test_the_packages_health_begins_with_the_listed_fields() -> None:
    names = [field.name for field in fields(TriggerHealth)]

    assert [field.name for field in fields(job_trigger.TriggerHealth)][: len(names)] == names


async def test_a_health_check_endpoint_shows_every_trigger() -> None:
    clock, creator = FakeClock(NINE - timedelta(seconds=30)), RecordingJobCreator()
    webhook_trigger = WebhookTrigger(creator, clock=clock)
    schedule_trigger = ScheduleTrigger(creator, schedules=[DAILY], clock=clock)
    app = FastAPI()

    # Health check endpoint
    @app.get("/health/triggers")
    async def trigger_health() -> dict[str, job_trigger.TriggerHealth]:
        return {"webhook": webhook_trigger.get_health(), "schedule": schedule_trigger.get_health()}

    async with running(schedule_trigger), client_of(app) as client:
        await clock.advance(60)
        shown = (await client.get("/health/triggers")).json()

    expected = {"is_running": False, "last_job_created": None, "jobs_created_count": 0, "errors_count": 0}
    assert expected.items() <= shown["webhook"].items()
    assert shown["schedule"]["is_running"] is True
    assert shown["schedule"]["jobs_created_count"] == 1
    assert datetime.fromisoformat(shown["schedule"]["last_job_created"]) == NINE


# How do I handle trigger failures?


class ResilientScheduleTrigger(ScheduleTrigger):
    """The listing: retries of its own, within one creation."""

    @override
    async def _create_scheduled_job(self, config: ScheduleConfig) -> None:
        max_retries = 3
        for attempt in range(max_retries):
            try:
                job = await self.job_creator.create_job(job_type=config.job_type, payload=config.payload)
            except DatabaseError as e:
                await self._report_attempt(config, attempt, max_retries, e)
            else:
                logger.info("scheduled_job_created", job_id=str(job.id), attempt=attempt + 1)
                return

    async def _report_attempt(self, config: ScheduleConfig, attempt: int, max_retries: int, error: Exception) -> None:
        facts = {"job_type": config.job_type, "error": str(error)}
        logger.warning("scheduled_job_creation_failed", attempt=attempt + 1, **facts)
        if attempt < max_retries - 1:
            await self._clock.sleep(2**attempt)  # Exponential backoff
            return
        # All retries exhausted, send alert
        logger.error("scheduled_job_creation_failed_permanently", **facts)
        assert self.alert_service is not None
        await self.alert_service.send_alert(
            level="error",
            message=f"Failed to create scheduled job: {config.job_type}",
            context={"error": str(error)},
        )


RESILIENT = pytest.mark.parametrize(
    "trigger_class", [ResilientScheduleTrigger, ScheduleTrigger], ids=["listing", "package"]
)


class TimedJobCreator(RecordingJobCreator):
    """Knows how many seconds after nine it was asked."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.asked_at: list[float] = []
        self._time = clock

    @override
    async def create_job(
        self, job_type: str, payload: dict[str, Any], queue_name: str = "default", priority: int = 0, **kwargs: Any
    ) -> Job:
        self.asked_at.append((self._time.now() - NINE).total_seconds())
        return await super().create_job(job_type, payload, queue_name, priority, **kwargs)


@RESILIENT
async def test_a_creation_that_fails_is_tried_again_with_exponential_backoff(
    trigger_class: type[ScheduleTrigger],
) -> None:
    clock = FakeClock(NINE - timedelta(minutes=1))
    creator, alert_service = TimedJobCreator(clock), AsyncMock(spec=AlertService)
    creator.fail_next(DatabaseError("the store is down"), times=2)
    trigger = trigger_class(creator, [DAILY], alert_service=alert_service, clock=clock)

    with capture_logs() as logs:
        async with running(trigger):
            await clock.advance(120)

    assert creator.asked_at == [0, 1, 3]
    assert [job.payload for job in creator.jobs] == [{"report": 1}]
    attempts = [log["attempt"] for log in logs if log["event"] == "scheduled_job_creation_failed"]
    assert attempts == [1, 2]
    alert_service.send_alert.assert_not_called()


@RESILIENT
async def test_somebody_is_alerted_when_all_attempts_have_failed(trigger_class: type[ScheduleTrigger]) -> None:
    clock = FakeClock(NINE - timedelta(minutes=1))
    creator, alert_service = TimedJobCreator(clock), AsyncMock(spec=AlertService)
    creator.fail_next(DatabaseError("the store is down"), times=3)
    trigger = trigger_class(creator, [DAILY], alert_service=alert_service, clock=clock)

    with capture_logs() as logs:
        async with running(trigger):
            await clock.advance(64)

    assert creator.asked_at == [0, 1, 3]
    assert creator.jobs == []
    assert "scheduled_job_creation_failed_permanently" in [log["event"] for log in logs]
    alert_service.send_alert.assert_awaited_once_with(
        level="error",
        message="Failed to create scheduled job: report.daily",
        context={"error": "the store is down"},
    )


async def test_a_tick_stays_due_after_its_alert() -> None:
    clock = FakeClock(NINE - timedelta(minutes=1))
    creator = TimedJobCreator(clock)
    creator.fail_next(DatabaseError("the store is down"), times=5)
    trigger = ScheduleTrigger(creator, [DAILY], alert_service=AsyncMock(spec=AlertService), clock=clock)

    async with running(trigger):
        await clock.advance(3600)

    assert len(creator.jobs) == 1
