"""The founding document, FAQ: testing in isolation, duplicates, priorities, payloads."""

from datetime import UTC, datetime
from typing import Any
from unittest.mock import AsyncMock
from uuid import NAMESPACE_DNS, uuid4, uuid5

import pytest
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, field_validator
from pydantic import ValidationError as PydanticValidationError
from typing_extensions import override

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.adapters.job_trigger.schedule_trigger import ScheduleConfig, ScheduleTrigger
from portico.adapters.job_trigger.webhook_trigger import WebhookJobRequest, WebhookTrigger
from portico.kits.job.job_service import JobService
from portico.kits.job.worker_manager import WorkerManager
from portico.ports.job import Job, JobResult, JobStatus
from portico.ports.job_creator import JobCreator
from portico.ports.job_handler import JobHandler
from portico.ports.job_trigger import JobTrigger
from portico.testing import FakeClock, RecordingJobCreator
from portico.utils.logging import get_logger
from tests.docs.running import client_of, jobs_of, running, until

logger = get_logger(__name__)

NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.asyncio


class StoppedTrigger(JobTrigger):
    """What the FAQ's listings leave out of their triggers."""

    @override
    async def start(self) -> None: ...

    @override
    async def stop(self) -> None: ...

    @property
    @override
    def is_running(self) -> bool:
        return False


# What's the difference between JobTrigger and JobHandler?


class EmailHandler(JobHandler):
    """Executes business logic for a job type."""

    @property
    @override
    def job_type(self) -> str:
        return "email.send"

    @override
    async def handle(self, job: Job) -> JobResult:
        return JobResult(success=True, result_data={"sent_to": job.payload["recipient"]})

    @override
    async def on_failure(self, job: Job, error: Exception) -> None: ...


async def test_an_external_event_goes_through_trigger_creator_queue_and_handler_to_a_result(
    job_queue_adapter: MemoryJobQueueAdapter, job_service: JobService
) -> None:
    trigger = WebhookTrigger(job_creator=job_service)
    worker = WorkerManager(job_queue=job_queue_adapter, handlers=[EmailHandler()])
    app = FastAPI()
    app.include_router(trigger.router)

    async def completed() -> bool:
        return [job.status for job in await job_service.list_jobs()] == [JobStatus.COMPLETED]

    async with running(worker, trigger), client_of(app) as client:
        body = {"job_type": "email.send", "payload": {"recipient": "user@example.com"}}
        await client.post("/webhooks/jobs", json=body)
        await until(completed)

    (job,) = await jobs_of(job_service)
    assert job.result == {"sent_to": "user@example.com"}


# How do I test job triggers in isolation?


async def test_webhook_trigger_creates_job() -> None:
    # Mock JobCreator
    mock_creator = AsyncMock(spec=JobCreator)
    mock_creator.create_job.return_value = Job(id=uuid4(), job_type="test.job", queue_name="default", payload={})

    # Create trigger with mock
    trigger = WebhookTrigger(job_creator=mock_creator)

    # Simulate webhook request
    await trigger._create_job_endpoint(WebhookJobRequest(job_type="test.job", payload={"data": "test"}))

    # Verify create_job was called
    mock_creator.create_job.assert_called_once_with(
        job_type="test.job", payload={"data": "test"}, queue_name="default", priority=0
    )


# How do I prevent duplicate scheduled jobs?


class OncePerSchedule(ScheduleTrigger):
    """One job for a schedule, whenever it fires: the key has no time in it."""

    @override
    async def _create_scheduled_job(self, config: ScheduleConfig) -> None:
        # Option 1: Use deterministic job ID
        job_id = uuid5(NAMESPACE_DNS, f"{config.job_type}:{config.cron}")

        # Check if job already exists
        existing = await self.job_creator.get_job(job_id)
        if existing and existing.status in [JobStatus.PENDING, JobStatus.SCHEDULED]:
            logger.debug("scheduled_job_already_exists", job_id=str(job_id))
            return

        # Create job with deterministic ID
        await self.job_creator.create_job(
            job_type=config.job_type,
            payload={**config.payload, "scheduled_run": self._clock.now().isoformat()},
            metadata={"idempotency_key": str(job_id)},
        )


async def test_a_key_of_ones_own_makes_one_job_of_many_ticks(job_service: JobService) -> None:
    config = ScheduleConfig(cron="*/5 * * * *", job_type="report.daily", payload={"report": 1})
    clock = FakeClock(NEW_YEAR)

    async with running(OncePerSchedule(job_creator=job_service, schedules=[config], clock=clock)):
        await clock.advance(20 * 60)

    (job,) = await jobs_of(job_service)
    assert job.payload == {"report": 1, "scheduled_run": "2030-01-01T00:05:00+00:00"}


async def test_the_packages_own_key_makes_one_job_of_a_tick_for_all_replicas(job_service: JobService) -> None:
    config = ScheduleConfig(cron="*/5 * * * *", job_type="report.daily", payload={})
    clock = FakeClock(NEW_YEAR)
    replicas = [ScheduleTrigger(job_creator=job_service, schedules=[config], clock=clock) for _ in range(3)]

    async with running(*replicas):
        await clock.advance(20 * 60)

    assert len(await jobs_of(job_service)) == 4


# Can triggers create jobs with different priorities?


class PrioritisedWebhookTrigger(WebhookTrigger):
    """Webhook trigger with dynamic priority."""

    @override
    async def _create_job_endpoint(self, request: WebhookJobRequest) -> Job:
        # Map job type to priority
        priority_map = {"payment.process": 10, "email.send": 5, "cleanup.logs": 1}
        priority = priority_map.get(request.job_type, request.priority)
        return await self.job_creator.create_job(job_type=request.job_type, payload=request.payload, priority=priority)


def _prioritised(creator: JobCreator) -> list[WebhookTrigger]:
    priorities = {"payment.process": 10, "email.send": 5, "cleanup.logs": 1}
    return [PrioritisedWebhookTrigger(creator), WebhookTrigger(creator, priority_map=priorities)]


@pytest.mark.parametrize("number", [0, 1], ids=["listing", "package"])
async def test_a_webhook_gives_priorities_by_job_type(number: int) -> None:
    creator = RecordingJobCreator()
    trigger = _prioritised(creator)[number]
    app = FastAPI()
    app.include_router(trigger.router)

    async with running(trigger), client_of(app) as client:
        for job_type in ("payment.process", "email.send", "cleanup.logs", "report.daily"):
            body: dict[str, Any] = {"job_type": job_type, "payload": {}, "priority": 3}
            assert (await client.post("/webhooks/jobs", json=body)).status_code == 202

    assert [job.priority for job in creator.jobs] == [10, 5, 1, 3]


async def test_schedules_have_their_own_priorities() -> None:
    schedules = [
        ScheduleConfig(cron="*/5 * * * *", job_type="health.check", payload={}, priority=1),
        ScheduleConfig(cron="0 9 * * *", job_type="report.daily", payload={}, priority=10),
    ]
    clock, creator = FakeClock(datetime(2030, 1, 1, 8, 58, tzinfo=UTC)), RecordingJobCreator()

    async with running(ScheduleTrigger(job_creator=creator, schedules=schedules, clock=clock)):
        await clock.advance(3 * 60)

    assert {job.job_type: job.priority for job in creator.jobs} == {"health.check": 1, "report.daily": 10}


# Should triggers validate job payloads?


class EmailJobPayload(BaseModel):
    recipient: str
    subject: str
    body: str

    @field_validator("recipient")
    @classmethod
    def validate_email(cls, v: str) -> str:
        if "@" not in v:
            raise ValueError("Invalid email address")
        return v


class ValidatingTrigger(StoppedTrigger):
    """The listing: a trigger that validates by schemas of its own."""

    def __init__(self, job_creator: JobCreator, payload_schemas: dict[str, type[BaseModel]]) -> None:
        self.job_creator = job_creator
        self.payload_schemas = payload_schemas  # job_type -> Pydantic model

    async def _create_job_endpoint(self, request: WebhookJobRequest) -> Job:
        # Validate payload against schema
        payload = request.payload
        if schema := self.payload_schemas.get(request.job_type):
            try:
                payload = schema(**request.payload).model_dump()
            except PydanticValidationError as e:
                raise HTTPException(status_code=400, detail=f"Invalid payload: {e}") from e
        # Create job with validated payload
        return await self.job_creator.create_job(job_type=request.job_type, payload=payload)


VALIDATING = pytest.mark.parametrize("trigger_class", [ValidatingTrigger, WebhookTrigger], ids=["listing", "package"])
EMAIL: dict[str, Any] = {"recipient": "user@example.com", "subject": "Hello", "body": "..."}


def _validating(trigger_class: Any, creator: JobCreator) -> WebhookTrigger:
    trigger: WebhookTrigger = trigger_class(job_creator=creator, payload_schemas={"email.send": EmailJobPayload})
    return trigger


@VALIDATING
async def test_a_payload_that_fits_its_schema_becomes_a_job(trigger_class: type[JobTrigger]) -> None:
    creator = RecordingJobCreator()
    trigger = _validating(trigger_class, creator)

    await trigger._create_job_endpoint(WebhookJobRequest(job_type="email.send", payload=EMAIL))
    await trigger._create_job_endpoint(WebhookJobRequest(job_type="other", payload={"anything": 1}))

    assert [job.payload for job in creator.jobs] == [EMAIL, {"anything": 1}]


@VALIDATING
@pytest.mark.parametrize(
    ("payload", "field"), [({**EMAIL, "recipient": "nobody"}, "recipient"), ({"recipient": "a@b.example"}, "subject")]
)
async def test_a_payload_that_does_not_is_refused_with_the_field(
    trigger_class: type[JobTrigger], payload: dict[str, Any], field: str
) -> None:
    creator = RecordingJobCreator()
    trigger = _validating(trigger_class, creator)

    with pytest.raises(HTTPException) as refused:
        await trigger._create_job_endpoint(WebhookJobRequest(job_type="email.send", payload=payload))

    assert refused.value.status_code == 400
    assert refused.value.detail.startswith("Invalid payload: ")
    assert field in refused.value.detail
    assert creator.jobs == []
