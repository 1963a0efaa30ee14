"""The founding document, pattern 5: several triggers with the life of an application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from portico.adapters.job_trigger.file_trigger import FileTrigger
from portico.adapters.job_trigger.schedule_trigger import ScheduleConfig, ScheduleTrigger
from portico.adapters.job_trigger.webhook_trigger import WebhookTrigger
from portico.kits.job.job_service import JobService
from portico.utils.logging import get_logger
from tests.docs.running import client_of, until_jobs

logger = get_logger(__name__)

TYPES = ["WebhookTrigger", "ScheduleTrigger", "FileTrigger"]


def _application(job_service: JobService, uploads: Path) -> FastAPI:
    schedules = [ScheduleConfig(cron="* * * * * *", job_type="health.check", payload={})]

    # Create multiple triggers
    webhook_trigger = WebhookTrigger(job_creator=job_service)
    schedule_trigger = ScheduleTrigger(job_creator=job_service, schedules=schedules)
    file_trigger = FileTrigger(job_creator=job_service, watch_path=uploads)

    # Manage trigger lifecycle with application
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Startup: Start all triggers
        triggers = [webhook_trigger, schedule_trigger, file_trigger]
        for trigger in triggers:
            await trigger.start()
            logger.info("trigger_started", trigger_type=type(trigger).__name__, is_running=trigger.is_running)
        yield  # Application runs
        # Shutdown: Stop all triggers
        for trigger in triggers:
            await trigger.stop()
            logger.info("trigger_stopped", trigger_type=type(trigger).__name__, is_running=trigger.is_running)

    app = FastAPI(lifespan=lifespan)
    app.include_router(webhook_trigger.router)
    return app


@pytest.mark.asyncio
async def test_all_triggers_start_with_the_application_and_stop_with_it(
    job_service: JobService, tmp_path: Path
) -> None:
    app = _application(job_service, tmp_path)

    with capture_logs() as logs:
        async with app.router.lifespan_context(app):
            pass

    for event, is_running in (("trigger_started", True), ("trigger_stopped", False)):
        logged = [(log["trigger_type"], log["is_running"]) for log in logs if log["event"] == event]
        assert logged == [(name, is_running) for name in TYPES]


@pytest.mark.asyncio
async def test_every_trigger_creates_its_jobs_while_the_application_runs(
    job_service: JobService, tmp_path: Path
) -> None:
    app = _application(job_service, tmp_path)

    async with app.router.lifespan_context(app), client_of(app) as client:
        response = await client.post("/webhooks/jobs", json={"job_type": "email.send", "payload": {}})
        (tmp_path / "upload.csv").write_text("id\n1\n")
        await _until_types(job_service, {"email.send", "file.process", "health.check"})

    assert response.status_code == 202


async def _until_types(job_service: JobService, job_types: set[str]) -> None:
    count = 1
    while not job_types <= {job.job_type for job in await until_jobs(job_service, count)}:
        count += 1
