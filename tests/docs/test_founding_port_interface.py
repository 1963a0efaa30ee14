"""The founding document, "Port Interface" and "Architectural Pattern"."""

import inspect
from importlib import import_module
from unittest.mock import AsyncMock

import pytest

from portico.adapters.job_trigger.webhook_trigger import WebhookTrigger
from portico.kits.job.job_service import JobService
from portico.ports.job_creator import JobCreator
from portico.ports.job_trigger import JobTrigger


def test_the_port_asks_for_start_stop_and_is_running_and_nothing_else() -> None:
    assert JobTrigger.__abstractmethods__ == {"start", "stop", "is_running"}
    assert inspect.iscoroutinefunction(JobTrigger.start)
    assert inspect.iscoroutinefunction(JobTrigger.stop)
    assert isinstance(inspect.getattr_static(JobTrigger, "is_running"), property)


@pytest.mark.asyncio
async def test_a_trigger_is_active_from_start_to_stop(job_service: JobService) -> None:
    trigger = WebhookTrigger(job_creator=job_service)
    seen = [trigger.is_running]

    await trigger.start()
    seen.append(trigger.is_running)
    await trigger.stop()
    seen.append(trigger.is_running)

    assert seen == [False, True, False]


def test_triggers_depend_on_the_creator_port_which_the_service_implements() -> None:
    assert issubclass(JobService, JobCreator)
    assert issubclass(WebhookTrigger, JobTrigger)
    assert WebhookTrigger(job_creator=AsyncMock(spec=JobCreator)).is_running is False


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("portico.ports.job_trigger", "JobTrigger"),
        ("portico.ports.job_creator", "JobCreator"),
        ("portico.ports.job_handler", "JobHandler"),
        ("portico.ports.job_queue", "JobQueueAdapter"),
        ("portico.kits.job", "JobService"),
        ("portico.kits.job.job_service", "JobService"),
        ("portico.adapters.job_trigger.webhook_trigger", "WebhookTrigger"),
        ("portico.adapters.job_trigger.schedule_trigger", "ScheduleTrigger"),
    ],
)
def test_what_the_document_refers_to_is_where_it_says(place: str, name: str) -> None:
    assert getattr(import_module(place), name).__name__ == name
