"""The founding document, pattern 2: a schedule trigger for cron jobs."""

from datetime import UTC, datetime, timedelta

import pytest

from portico.adapters.job_trigger.schedule_trigger import ScheduleConfig, ScheduleTrigger
from portico.ports.job import Job
from portico.testing import FakeClock, RecordingJobCreator
from tests.docs.running import running

SUNDAY = datetime(2030, 1, 6, tzinfo=UTC)


def _schedules() -> list[ScheduleConfig]:
    return [
        # Daily report at 9 AM
        ScheduleConfig(
            cron="0 9 * * *",
            job_type="report.daily",
            payload={"report_type": "daily_summary"},
            queue_name="reports",
            priority=5,
        ),
        # Cleanup every hour
        ScheduleConfig(
            cron="0 * * * *",
            job_type="cleanup.temp_files",
            payload={"max_age_hours": 24},
            queue_name="maintenance",
            priority=1,
        ),
        # Weekly backup on Sundays at 2 AM
        ScheduleConfig(
            cron="0 2 * * 0",
            job_type="backup.full",
            payload={"backup_type": "weekly"},
            queue_name="backups",
            priority=10,
        ),
    ]


async def _jobs_around(moment: datetime) -> list[Job]:
    """Return what is created from a minute before until a minute after."""
    clock = FakeClock(moment - timedelta(minutes=1))
    job_service = RecordingJobCreator(clock=clock)
    schedule_trigger = ScheduleTrigger(job_creator=job_service, schedules=_schedules(), clock=clock)
    async with running(schedule_trigger):
        await clock.advance(120)
    return job_service.jobs


@pytest.mark.parametrize(
    ("moment", "job_types"),
    [
        (SUNDAY, ["cleanup.temp_files"]),
        (SUNDAY + timedelta(hours=2), ["backup.full", "cleanup.temp_files"]),
        (SUNDAY + timedelta(hours=2, minutes=30), []),
        (SUNDAY + timedelta(hours=9), ["cleanup.temp_files", "report.daily"]),
        (SUNDAY + timedelta(days=1, hours=2), ["cleanup.temp_files"]),
        (SUNDAY + timedelta(days=1, hours=9), ["cleanup.temp_files", "report.daily"]),
    ],
    ids=lambda value: f"{value:%A %H:%M}" if isinstance(value, datetime) else "",
)
@pytest.mark.asyncio
async def test_each_schedule_fires_when_it_says(moment: datetime, job_types: list[str]) -> None:
    jobs = await _jobs_around(moment)

    assert sorted(job.job_type for job in jobs) == job_types
    assert {job.created_at for job in jobs} <= {moment}


@pytest.mark.asyncio
async def test_jobs_have_the_values_of_their_schedules() -> None:
    jobs = [*await _jobs_around(SUNDAY + timedelta(hours=2)), *await _jobs_around(SUNDAY + timedelta(hours=9))]

    assert {job.job_type: (job.payload, job.queue_name, job.priority) for job in jobs} == {
        "report.daily": ({"report_type": "daily_summary"}, "reports", 5),
        "cleanup.temp_files": ({"max_age_hours": 24}, "maintenance", 1),
        "backup.full": ({"backup_type": "weekly"}, "backups", 10),
    }
