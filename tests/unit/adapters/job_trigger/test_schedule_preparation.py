"""What is done about ticks before and after their time, and when the loop ends in between."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pytest
from typing_extensions import override

from portico.adapters.job_trigger.schedule_trigger import ScheduleConfig, ScheduleTrigger
from portico.ports.job import Job
from portico.ports.job_creator import JobRequest
from portico.runtime.memory_state import MemoryTriggerStore
from portico.testing import RecordingJobCreator
from tests.unit.adapters.job_trigger.schedule_support import (
    HOURLY,
    MINUTE,
    START,
    SetClock,
    running,
    ticks_of,
)

pytestmark = pytest.mark.asyncio

TWO = [replace(HOURLY, schedule_id=name, payload={"of": name}) for name in ("first", "second")]
MANY = [ScheduleConfig(cron="0 * * * *", job_type="t", schedule_id=f"s{number}") for number in range(350)]


async def test_what_is_edited_shortly_before_its_tick_is_created_as_edited(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    async with running(ScheduleTrigger(creator, TWO, clock=clock)) as trigger:
        await clock.advance(25)
        await trigger.edit(replace(TWO[0], payload={"new": True}))
        await clock.advance(MINUTE)

    assert [job.payload for job in creator.jobs] == [{"of": "second"}, {"new": True}]


async def test_what_is_paused_shortly_before_its_tick_is_not_created(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    async with running(ScheduleTrigger(creator, TWO, clock=clock)) as trigger:
        await clock.advance(25)
        await trigger.pause("first")
        await clock.advance(MINUTE)

    assert [job.payload for job in creator.jobs] == [{"of": "second"}]


async def test_a_batch_tells_its_lateness_at_its_creation(clock: SetClock, creator: RecordingJobCreator) -> None:
    async with running(ScheduleTrigger(creator, TWO, clock=clock)):
        await clock.advance(25)
        await clock.jump(15)

    assert [job.metadata["lateness_seconds"] for job in creator.jobs] == [10.0, 10.0]


async def test_a_batch_that_was_missed_is_created_as_such(clock: SetClock, creator: RecordingJobCreator) -> None:
    async with running(ScheduleTrigger(creator, TWO, clock=clock)):
        await clock.advance(25)
        await clock.jump(130 * MINUTE)

    assert ticks_of(creator.jobs) == ["01 11:00:00", "01 11:00:00"]
    assert [job.metadata["catch_up"] for job in creator.jobs] == [True, True]


class BusyClock(SetClock):
    """Each look at it takes four milliseconds."""

    looks = 0

    @override
    def monotonic(self) -> float:
        self.looks += 1
        return super().monotonic() + self.looks * 0.004


async def test_preparing_gives_way_to_others_after_a_few_milliseconds(creator: RecordingJobCreator) -> None:
    clock = BusyClock(START)
    async with running(ScheduleTrigger(creator, MANY, clock=clock)) as trigger:
        await clock.advance(5)
        prepared = [progress for progress in trigger._book.agenda if progress.prepared is not None]
        await clock.advance(MINUTE)

    assert 0 < len(prepared) < 50
    assert len(creator.jobs) == len(MANY)


class StoppingCreator(RecordingJobCreator):
    """Stops the trigger with the first batch."""

    trigger: ScheduleTrigger
    stopping: asyncio.Task[None] | None = None

    @override
    async def create_jobs(self, requests: Sequence[JobRequest]) -> list[Job]:
        if self.stopping is None:
            self.stopping = asyncio.create_task(self.trigger.stop(), name="stop")
        return await super().create_jobs(requests)


async def test_what_was_created_before_a_stop_is_not_asked_for_again(clock: SetClock) -> None:
    stopping, creator, store = StoppingCreator(), RecordingJobCreator(), MemoryTriggerStore(clock=clock)
    stopping.trigger = ScheduleTrigger(stopping, MANY, clock=clock, store=store)
    await stopping.trigger.start()
    await clock.advance(MINUTE)
    assert stopping.stopping is not None
    await stopping.stopping
    async with running(ScheduleTrigger(creator, MANY, clock=clock, store=store)):
        await clock.advance(1)

    asked = [job.metadata["schedule_id"] for job in (*stopping.jobs, *creator.jobs)]
    assert 0 < len(stopping.jobs) < len(MANY)
    assert sorted(asked) == sorted(schedule.schedule_id for schedule in MANY)


class HangingCreator(RecordingJobCreator):
    """Never answers the first batch."""

    def __init__(self) -> None:
        super().__init__()
        self.batches = 0

    @override
    async def create_jobs(self, requests: Sequence[JobRequest]) -> list[Job]:
        self.batches += 1
        if self.batches == 1:
            await asyncio.Event().wait()
        return await super().create_jobs(requests)


class FailingStore(MemoryTriggerStore):
    """Raises what no store should."""

    is_broken = False

    @override
    async def now(self) -> datetime:
        if self.is_broken:
            self.is_broken = False
            raise RuntimeError("broken")
        return await super().now()


async def test_what_was_under_way_when_the_loop_failed_is_due_again(clock: SetClock) -> None:
    creator, store = HangingCreator(), FailingStore(clock=clock)
    async with running(ScheduleTrigger(creator, TWO, clock=clock, store=store)):
        await clock.advance(MINUTE)
        assert (creator.batches, creator.jobs) == (1, [])
        store.is_broken = True
        await clock.jump(10)
        await clock.advance(5)

    assert ticks_of(creator.jobs) == ["01 09:00:00", "01 09:00:00"]
