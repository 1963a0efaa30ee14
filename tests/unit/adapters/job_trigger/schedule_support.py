"""What the tests of the schedule trigger share."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from typing_extensions import override

from portico.adapters.job_trigger.schedule_trigger import ScheduleConfig, ScheduleTrigger
from portico.ports.job import Job
from portico.ports.job_creator import JobCreator
from portico.testing import FakeClock, RecordingJobCreator

START = datetime(2030, 1, 1, 8, 59, 30, tzinfo=UTC)
MINUTE = 60
HOUR = 3_600
DAY = 86_400
HOURLY = ScheduleConfig(cron="0 * * * *", job_type="report.hourly", schedule_id="hourly")
MINUTELY = ScheduleConfig(cron="* * * * *", job_type="health.check", schedule_id="minutely")


class SetClock(FakeClock):
    """A clock that somebody sets."""

    offset = timedelta(0)

    @override
    def now(self) -> datetime:
        return super().now() + self.offset

    async def jump(self, seconds: float) -> None:
        """Move the wall clock on while nobody looks, then let a second pass."""
        self.offset += timedelta(seconds=seconds - 1)
        await self.advance(1)


class OneByOne(JobCreator):
    """Makes no batches."""

    def __init__(self) -> None:
        self.recorder = RecordingJobCreator()

    @property
    def jobs(self) -> list[Job]:
        return self.recorder.jobs

    @override
    async def create_job(
        self, job_type: str, payload: dict[str, Any], queue_name: str = "default", priority: int = 0, **kwargs: Any
    ) -> Job:
        return await self.recorder.create_job(job_type, payload, queue_name, priority, **kwargs)


class SlowCreator(OneByOne):
    """Creates jobs of one type only when it is let."""

    def __init__(self, held_type: str) -> None:
        super().__init__()
        self.held_type = held_type
        self.may_go_on = asyncio.Event()

    @override
    async def create_job(
        self, job_type: str, payload: dict[str, Any], queue_name: str = "default", priority: int = 0, **kwargs: Any
    ) -> Job:
        if job_type == self.held_type:
            await self.may_go_on.wait()
        return await super().create_job(job_type, payload, queue_name, priority, **kwargs)


@asynccontextmanager
async def running(*triggers: ScheduleTrigger) -> AsyncIterator[ScheduleTrigger]:
    """Start the triggers, give the first, and stop them."""
    for trigger in triggers:
        await trigger.start()
    try:
        yield triggers[0]
    finally:
        for trigger in triggers:
            await trigger.stop()


def ticks_of(jobs: Sequence[Job]) -> list[str]:
    """Return day and time of the ticks that the jobs are for."""
    return [datetime.fromisoformat(job.metadata["scheduled_for"]).strftime("%d %H:%M:%S") for job in jobs]


def events_of(logs: Sequence[Any]) -> list[str]:
    """Return the names of what was logged."""
    return [entry["event"] for entry in logs]
