"""The schedule trigger keeps what every trigger promises."""

from datetime import UTC, datetime, timedelta

from typing_extensions import override

from portico.adapters.job_trigger.schedule_trigger import ScheduleConfig, ScheduleTrigger
from portico.ports.job_creator import JobCreator
from portico.ports.job_trigger import JobTrigger
from portico.runtime.memory_state import MemoryTriggerStore
from portico.testing import FakeClock
from portico.testing.contracts.job_trigger import JobTriggerContract

BEFORE_THE_TICK = datetime(2030, 1, 1, 8, 59, 30, tzinfo=UTC)
SCHEDULE = ScheduleConfig(cron="0 * * * *", job_type="cleanup.temp_files", payload={"max_age_hours": 24})


class TestScheduleTrigger(JobTriggerContract):
    quiet_seconds = 0.0

    @override
    def make_trigger(self, job_creator: JobCreator) -> ScheduleTrigger:
        self.clock = FakeClock(BEFORE_THE_TICK)
        self.store = MemoryTriggerStore(clock=self.clock)
        return ScheduleTrigger(job_creator, [SCHEDULE], clock=self.clock, store=self.store)

    @override
    async def emit(self, trigger: JobTrigger) -> None:
        await self.clock.advance(60)

    @override
    async def emit_again(self, trigger: JobTrigger) -> None:
        # as after a crash between the creation and the cursor
        await trigger.stop()
        key, stored = next(iter((await self.store.entries("schedule")).items()))
        reached = (BEFORE_THE_TICK - timedelta(minutes=5)).isoformat()
        await self.store.put_many("schedule", {key: {**stored.value, "reached": reached}})
        await trigger.start()
        await self.clock.advance(60)
