"""The founding document, "Best Practices": its GOOD listings, and the package's triggers doing the same."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import AsyncMock

import pytest
import pytest_asyncio
from fastapi import FastAPI, HTTPException
from structlog.testing import capture_logs
from structlog.typing import EventDict
from typing_extensions import override

from portico.adapters.job_trigger.schedule_trigger import ScheduleConfig, ScheduleTrigger
from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookJobRequest, WebhookTrigger
from portico.exceptions import DatabaseError, ValidationError
from portico.kits.job.job_service import JobService
from portico.ports.job import Job
from portico.ports.job_creator import JobCreator
from portico.ports.job_trigger import JobTrigger
from portico.testing import FakeClock, RecordingJobCreator
from portico.utils.logging import get_logger
from tests.docs.running import client_of, jobs_of, running

logger = get_logger(__name__)

NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)
EVERY_MINUTE = ScheduleConfig(cron="* * * * *", job_type="report.minute", payload={"report": 1})
REQUEST = WebhookJobRequest(job_type="email.send", payload={"recipient": "user@example.com"})
BODY = {"job_type": "email.send", "payload": {"recipient": "user@example.com"}}

pytestmark = pytest.mark.asyncio


class ListedTrigger(JobTrigger):
    """Practices 1 and 3 as listed: it depends on the port, and starts once."""

    def __init__(self, job_creator: JobCreator) -> None:
        self.job_creator = job_creator  # Interface dependency
        self._running = False

    @override
    async def start(self) -> None:
        if self._running:
            logger.warning("trigger_already_running")
            return  # Don't start again
        logger.info("starting_trigger")
        self._running = True

    @override
    async def stop(self) -> None:
        self._running = False

    @property
    @override
    def is_running(self) -> bool:
        return self._running

    async def _create_job_endpoint(self, request: WebhookJobRequest) -> Job:
        # Uses interface
        return await self.job_creator.create_job(job_type=request.job_type, payload=request.payload)


class SlowJobCreator(RecordingJobCreator):
    """Begins each job, and creates it when it is allowed to."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.allowed = asyncio.Event()

    @override
    async def create_job(
        self, job_type: str, payload: dict[str, Any], queue_name: str = "default", priority: int = 0, **kwargs: Any
    ) -> Job:
        self.begun.set()
        await self.allowed.wait()
        return await super().create_job(job_type, payload, queue_name, priority, **kwargs)


def _events(logs: list[EventDict], name: str) -> list[EventDict]:
    return [log for log in logs if log["event"] == name]


# 1. Depend on JobCreator Port, Not JobService


async def test_a_trigger_takes_whatever_implements_the_creator_port(job_service: JobService) -> None:
    for creator in (job_service, RecordingJobCreator()):
        for trigger in (ListedTrigger(job_creator=creator), WebhookTrigger(job_creator=creator)):
            job = await trigger._create_job_endpoint(REQUEST)
            assert (job.job_type, job.payload) == (REQUEST.job_type, REQUEST.payload)

    assert len(await jobs_of(job_service)) == 2


# 2. Implement Graceful Shutdown


async def test_a_schedule_stops_after_the_job_that_it_is_creating() -> None:
    clock, creator = FakeClock(NEW_YEAR), SlowJobCreator()
    trigger = ScheduleTrigger(job_creator=creator, schedules=[EVERY_MINUTE], clock=clock)
    await trigger.start()
    await clock.advance(60)
    await creator.begun.wait()

    stopping = asyncio.create_task(trigger.stop())
    await clock.settle()
    assert not stopping.done()
    creator.allowed.set()
    await stopping

    assert [job.job_type for job in creator.jobs] == ["report.minute"]
    assert not trigger.is_running
    await clock.advance(600)
    assert len(creator.jobs) == 1


# 3. Prevent Duplicate Starts


async def test_a_second_start_is_told_of_and_changes_nothing() -> None:
    clock, creator = FakeClock(NEW_YEAR), RecordingJobCreator()
    schedule = ScheduleTrigger(job_creator=creator, schedules=[EVERY_MINUTE], clock=clock)

    with capture_logs() as logs:
        async with running(schedule):
            await schedule.start()
            await clock.advance(60)

    assert [log["log_level"] for log in _events(logs, "trigger_already_running")] == ["warning"]
    assert len(creator.jobs) == 1


async def test_the_listed_trigger_does_not_start_twice_either() -> None:
    trigger = ListedTrigger(RecordingJobCreator())

    with capture_logs() as logs:
        await trigger.start()
        await trigger.start()

    assert [log["event"] for log in logs] == ["starting_trigger", "trigger_already_running"]


# 4. Handle Errors in Event Processing


@pytest.fixture
def creator() -> RecordingJobCreator:
    return RecordingJobCreator()


@pytest_asyncio.fixture
async def app(creator: RecordingJobCreator) -> AsyncIterator[FastAPI]:
    trigger = WebhookTrigger(
        job_creator=creator, config=WebhookConfig(allowed_job_types=["email.send", "report.generate"])
    )
    app = FastAPI()
    app.include_router(trigger.router)
    async with running(trigger):
        yield app


async def test_a_created_job_is_logged_and_answered_with_its_id(app: FastAPI, creator: RecordingJobCreator) -> None:
    with capture_logs() as logs:
        async with client_of(app) as client:
            response = await client.post("/webhooks/jobs", json=BODY)

    assert response.json()["job_id"] == str(creator.jobs[0].id)
    assert [log["job_id"] for log in _events(logs, "job_created_from_webhook")] == [str(creator.jobs[0].id)]


async def test_input_that_the_creator_refuses_is_a_bad_request(app: FastAPI, creator: RecordingJobCreator) -> None:
    creator.fail_next(ValidationError("payload.recipient: is no address"))

    with capture_logs() as logs:
        async with client_of(app) as client:
            response = await client.post("/webhooks/jobs", json=BODY)

    assert response.status_code == 400
    assert response.json()["detail"] == "payload.recipient: is no address"
    assert [log["log_level"] for log in _events(logs, "invalid_webhook_request")] == ["warning"]


@pytest.mark.parametrize("error", [DatabaseError("the store is down"), RuntimeError("user@example.com")])
async def test_any_other_failure_is_an_error_that_tells_nothing(
    app: FastAPI, creator: RecordingJobCreator, error: Exception
) -> None:
    creator.fail_next(error)

    with capture_logs() as logs:
        async with client_of(app) as client:
            response = await client.post("/webhooks/jobs", json=BODY)

    assert response.status_code == 500
    assert response.json()["detail"] == "Job creation failed"
    assert [log["log_level"] for log in _events(logs, "webhook_job_creation_failed")] == ["error"]
    assert "user@example.com" not in json.dumps(logs, default=str)


# 5. Use Structured Logging


async def test_the_start_of_a_webhook_is_logged_with_its_settings() -> None:
    config = WebhookConfig(prefix="/hooks", allowed_job_types=["email.send"])
    trigger = WebhookTrigger(job_creator=RecordingJobCreator(), config=config)

    with capture_logs() as logs:
        async with running(trigger):
            pass

    (starting,) = _events(logs, "starting_webhook_trigger")
    assert starting["prefix"] == "/hooks"
    assert list(starting["allowed_types"]) == ["email.send"]
    assert len(_events(logs, "webhook_trigger_started")) == 1
    assert len(_events(logs, "webhook_trigger_stopped")) == 1


async def test_a_scheduled_job_and_a_failed_one_are_logged_with_their_type() -> None:
    clock, creator = FakeClock(NEW_YEAR), RecordingJobCreator()
    creator.fail_next(DatabaseError("the store is down"))
    trigger = ScheduleTrigger(job_creator=creator, schedules=[EVERY_MINUTE], clock=clock)

    with capture_logs() as logs:
        async with running(trigger):
            await clock.advance(70)

    (failed,) = _events(logs, "scheduled_job_creation_failed")
    assert failed["job_type"] == "report.minute"
    assert "the store is down" in failed["error"]
    (created,) = _events(logs, "job_created_from_schedule")
    assert created["job_id"] == str(creator.jobs[0].id)
    assert created["job_type"] == "report.minute"


# 6. Validate Input from External Sources


async def test_a_job_type_that_is_not_on_the_list_is_forbidden(app: FastAPI, creator: RecordingJobCreator) -> None:
    async with client_of(app) as client:
        response = await client.post("/webhooks/jobs", json={"job_type": "account.delete", "payload": {}})

    assert response.status_code == 403
    assert response.json()["detail"] == "Job type 'account.delete' not allowed"
    assert creator.jobs == []


async def test_a_payload_that_is_not_json_is_refused(creator: RecordingJobCreator) -> None:
    trigger = WebhookTrigger(job_creator=creator)

    with pytest.raises(HTTPException) as refused:
        await trigger._create_job_endpoint(WebhookJobRequest(job_type="email.send", payload={"at": object()}))

    assert refused.value.status_code == 400
    assert refused.value.detail == "Payload must be JSON-serializable"
    assert creator.jobs == []


# 7. Use Dependency Injection for Testing


async def test_a_mock_of_the_creator_port_is_enough() -> None:
    mock_creator = AsyncMock(spec=JobCreator)
    trigger = WebhookTrigger(job_creator=mock_creator)

    await trigger._create_job_endpoint(REQUEST)

    mock_creator.create_job.assert_called_once()
