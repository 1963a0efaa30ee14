"""Schedules that are run, paused, filled, added, edited and removed while the trigger runs."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.adapters.job_trigger.schedule_trigger import ScheduleConfig, ScheduleTrigger
from portico.exceptions import ConfigurationError, ConflictError, DatabaseError, PorticoError, ResourceNotFoundError
from portico.kits.job import JobService
from portico.ports.trigger_store import StoredValue
from portico.runtime.memory_state import MemoryTriggerStore
from portico.testing import RecordingJobCreator
from tests.unit.adapters.job_trigger.schedule_support import (
    HOUR,
    HOURLY,
    MINUTE,
    MINUTELY,
    START,
    OneByOne,
    SetClock,
    events_of,
    running,
    ticks_of,
)

pytestmark = pytest.mark.asyncio


@pytest.fixture
def store(clock: SetClock) -> MemoryTriggerStore:
    return MemoryTriggerStore(clock=clock)


# -------------------------------------------------------------------------------------------------------- run now


async def test_run_now_makes_a_job_that_is_no_tick(clock: SetClock, creator: RecordingJobCreator) -> None:
    schedule = replace(HOURLY, payload={"a": 1}, priority=7)
    async with running(ScheduleTrigger(creator, [schedule], clock=clock)) as trigger:
        first, second = [await trigger.run_now("hourly") for _ in range(2)]
        await clock.advance(MINUTE)

    assert first is not None
    assert second is not None
    assert first.id != second.id
    assert (first.payload, first.priority, first.metadata["manual"]) == ({"a": 1}, 7, True)
    assert ticks_of(creator.jobs) == ["01 08:59:30", "01 08:59:30", "01 09:00:00"]


async def test_run_now_says_when_overlap_keeps_it_out(clock: SetClock) -> None:
    service = JobService(MemoryJobQueueAdapter(clock=clock), clock=clock)
    async with running(ScheduleTrigger(service, [replace(HOURLY, overlap="skip")], clock=clock)) as trigger:
        first, second = [await trigger.run_now("hourly") for _ in range(2)]

    assert first is not None
    assert second is not None
    assert (second.id, second.is_duplicate) == (first.id, True)


async def test_a_backfill_of_ticks_whose_keys_may_be_forgotten_is_warned_of(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    async with running(ScheduleTrigger(creator, [HOURLY], clock=clock)) as trigger:
        with capture_logs() as logs:
            await trigger.backfill("hourly", START - timedelta(days=7), START - timedelta(days=6))
            assert "schedule_backfill_beyond_keys" not in events_of(logs)
            await trigger.backfill("hourly", START - timedelta(days=7, hours=1), START - timedelta(days=6))

    (line,) = [entry for entry in logs if entry["event"] == "schedule_backfill_beyond_keys"]
    assert (line["log_level"], line["start"]) == ("warning", "2029-12-25T08:00:00+00:00")


async def test_run_now_calls_an_override(clock: SetClock, creator: RecordingJobCreator) -> None:
    class Own(ScheduleTrigger):
        @override
        async def _create_scheduled_job(self, config: ScheduleConfig) -> None:
            await self.job_creator.create_job(job_type="own", payload={})

    async with running(Own(creator, [HOURLY], clock=clock)) as trigger:
        assert await trigger.run_now("hourly") is None

    assert [job.job_type for job in creator.jobs] == ["own"]


# ------------------------------------------------------------------------------------------------- pause and resume


async def test_a_paused_schedule_creates_nothing_and_goes_on_from_now(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    async with running(ScheduleTrigger(creator, [MINUTELY, HOURLY], clock=clock)) as trigger:
        await trigger.pause("minutely", "the partner is down")
        await clock.advance(5 * MINUTE)
        assert trigger.paused == {"minutely": "the partner is down"}
        assert [job.job_type for job in creator.jobs] == ["report.hourly"]
        await trigger.resume("minutely")
        await clock.advance(MINUTE)
        assert trigger.paused == {}

    assert ticks_of(creator.jobs) == ["01 09:00:00", "01 09:05:00"]


async def test_resume_may_catch_up_as_misfire_says(clock: SetClock, creator: RecordingJobCreator) -> None:
    async with running(ScheduleTrigger(creator, [replace(MINUTELY, misfire="all")], clock=clock)) as trigger:
        await trigger.pause("minutely")
        await clock.advance(3 * MINUTE)
        await trigger.resume("minutely", catch_up=True)
        await clock.advance(1)

    assert ticks_of(creator.jobs) == ["01 09:00:00", "01 09:01:00", "01 09:02:00"]


async def test_a_pause_survives_a_restart(
    clock: SetClock, creator: RecordingJobCreator, store: MemoryTriggerStore
) -> None:
    async with running(ScheduleTrigger(creator, [MINUTELY], clock=clock, store=store)) as trigger:
        await trigger.pause("minutely", "holiday")
    async with running(ScheduleTrigger(creator, [MINUTELY], clock=clock, store=store)) as trigger:
        await clock.advance(2 * MINUTE)
        assert trigger.paused == {"minutely": "holiday"}
        assert trigger.next_fire() is None

    assert creator.jobs == []


async def test_what_was_missed_in_a_pause_is_not_missed_in_a_restart(
    clock: SetClock, creator: RecordingJobCreator, store: MemoryTriggerStore
) -> None:
    async with running(ScheduleTrigger(creator, [HOURLY], clock=clock, store=store)) as trigger:
        await trigger.pause("hourly")
        await clock.advance(2 * HOUR)
        await trigger.resume("hourly")
    async with running(ScheduleTrigger(creator, [HOURLY], clock=clock, store=store)):
        await clock.advance(1)

    assert creator.jobs == []


# ------------------------------------------------------------------------------------------------------- back-fill


async def test_a_range_of_the_past_is_filled_without_doubling_what_there_is(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    async with running(ScheduleTrigger(creator, [HOURLY], clock=clock)) as trigger:
        await clock.advance(HOUR)
        jobs = await trigger.backfill("hourly", START - timedelta(hours=2, minutes=59, seconds=30))
        again = await trigger.backfill("hourly", START - timedelta(hours=3))

    assert ticks_of(jobs) == ["01 06:00:00", "01 07:00:00", "01 08:00:00", "01 09:00:00"]
    assert [job.is_duplicate for job in jobs] == [False, False, False, True]
    assert all(job.is_duplicate for job in again)
    assert jobs[0].metadata["catch_up"] is True


async def test_a_range_begins_with_its_start_and_ends_before_its_end(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    naive = datetime(2029, 12, 31, 9)  # noqa: DTZ001 - on the wall clock of the schedule
    schedule = replace(HOURLY, timezone="Europe/Paris")
    async with running(ScheduleTrigger(creator, [schedule], clock=clock)) as trigger:
        jobs = await trigger.backfill("hourly", naive, naive + timedelta(hours=2))

    assert [job.metadata["scheduled_for_local"] for job in jobs] == [
        "2029-12-31T09:00:00+01:00",
        "2029-12-31T10:00:00+01:00",
    ]


async def test_a_range_is_filled_one_by_one_where_the_creator_makes_no_batches(clock: SetClock) -> None:
    creator = OneByOne()
    async with running(ScheduleTrigger(creator, [HOURLY], clock=clock)) as trigger:
        jobs = await trigger.backfill("hourly", START - timedelta(hours=3))

    assert len(jobs) == len(creator.jobs) == 3


async def test_a_range_that_makes_no_sense_is_refused(clock: SetClock, creator: RecordingJobCreator) -> None:
    async with running(ScheduleTrigger(creator, [MINUTELY], clock=clock)) as trigger:
        with pytest.raises(ConfigurationError, match="past"):
            await trigger.backfill("minutely", START - timedelta(hours=1), START + timedelta(hours=1))
        with pytest.raises(ConfigurationError, match="past"):
            await trigger.backfill("minutely", START, START)
        with pytest.raises(ConfigurationError, match="more than 10 ticks"):
            await trigger.backfill("minutely", START - timedelta(hours=1), limit=10)

    assert creator.jobs == []


# ---------------------------------------------------------------------------------------------- add, edit and remove


async def test_a_schedule_may_be_added_and_begins_now(clock: SetClock, creator: RecordingJobCreator) -> None:
    async with running(ScheduleTrigger(creator, [], clock=clock)) as trigger:
        await trigger.add(HOURLY)
        await clock.advance(MINUTE)
        assert trigger.schedules == (HOURLY,)

    assert ticks_of(creator.jobs) == ["01 09:00:00"]


async def test_everything_about_an_added_schedule_survives_a_restart(
    clock: SetClock, creator: RecordingJobCreator, store: MemoryTriggerStore
) -> None:
    schedule = ScheduleConfig(
        cron="H * * * *",
        job_type="a",
        payload={"deep": [1]},
        queue_name="reports",
        priority=3,
        timezone="Europe/Paris",
        schedule_id="added",
        start_at=START,
        end_at=START + timedelta(days=9),
        exclude=[date(2030, 1, 5)],
        misfire="all",
        catchup_window=timedelta(hours=2),
        max_catchup=5,
        overlap="skip",
        jitter=timedelta(seconds=1.5),
    )
    async with running(ScheduleTrigger(creator, [], clock=clock, store=store)) as trigger:
        await trigger.add(schedule)
    async with running(ScheduleTrigger(creator, [], clock=clock, store=store)) as trigger:
        assert trigger.schedules == (schedule,)


async def test_an_edited_schedule_has_its_new_times_and_payload(clock: SetClock, creator: RecordingJobCreator) -> None:
    async with running(ScheduleTrigger(creator, [HOURLY], clock=clock)) as trigger:
        await trigger.edit(replace(HOURLY, cron="30 * * * *", payload={"new": True}))
        await clock.advance(HOUR)

    assert ticks_of(creator.jobs) == ["01 09:30:00"]
    assert creator.jobs[0].payload == {"new": True}


async def test_an_edit_does_not_catch_up_with_the_past(clock: SetClock, creator: RecordingJobCreator) -> None:
    async with running(ScheduleTrigger(creator, [replace(HOURLY, cron="0 0 1 1 *")], clock=clock)) as trigger:
        await clock.advance(HOUR)
        await trigger.edit(replace(HOURLY, misfire="all"))
        await clock.advance(MINUTE)

    assert ticks_of(creator.jobs) == ["01 10:00:00"]


async def test_a_removed_schedule_stays_away_until_it_is_added(
    clock: SetClock, creator: RecordingJobCreator, store: MemoryTriggerStore
) -> None:
    async with running(ScheduleTrigger(creator, [HOURLY], clock=clock, store=store)) as trigger:
        await trigger.remove("hourly")
    await clock.advance(2 * HOUR)
    async with running(ScheduleTrigger(creator, [HOURLY], clock=clock, store=store)) as trigger:
        assert trigger.schedules == ()
        await clock.advance(HOUR)
        assert creator.jobs == []
        await trigger.add(replace(HOURLY, misfire="all"))
        await clock.advance(HOUR)

    assert ticks_of(creator.jobs) == ["01 12:00:00"]


async def test_a_later_change_of_the_code_wins_over_an_edit(
    clock: SetClock, creator: RecordingJobCreator, store: MemoryTriggerStore
) -> None:
    edited, deployed = replace(HOURLY, priority=5), replace(HOURLY, priority=9)
    async with running(ScheduleTrigger(creator, [HOURLY], clock=clock, store=store)) as trigger:
        await trigger.edit(edited)
    async with running(ScheduleTrigger(creator, [HOURLY], clock=clock, store=store)) as trigger:
        assert trigger.schedules == (edited,)
    async with running(ScheduleTrigger(creator, [deployed], clock=clock, store=store)) as trigger:
        assert trigger.schedules == (deployed,)


async def test_who_asks_for_what_is_not_there_or_is_there_already_is_told(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    async with running(ScheduleTrigger(creator, [HOURLY], clock=clock)) as trigger:
        with pytest.raises(ConflictError, match="'hourly'"):
            await trigger.add(HOURLY)
        for operation in (
            trigger.edit(MINUTELY),
            trigger.remove("minutely"),
            trigger.pause("minutely"),
            trigger.resume("minutely"),
            trigger.run_now("minutely"),
            trigger.backfill("minutely", START - timedelta(hours=1)),
        ):
            with pytest.raises(ResourceNotFoundError, match="'minutely'"):
                await operation


async def test_a_trigger_that_does_not_run_changes_nothing(clock: SetClock, creator: RecordingJobCreator) -> None:
    trigger = ScheduleTrigger(creator, [HOURLY], clock=clock)
    for operation in (trigger.add(MINUTELY), trigger.pause("hourly"), trigger.run_now("hourly")):
        with pytest.raises(PorticoError, match="not running"):
            await operation

    assert trigger.schedules == (HOURLY,)
    assert creator.jobs == []


# -------------------------------------------------------------------------------------------------------- replicas


async def test_replicas_follow_each_other_within_two_seconds(
    clock: SetClock, creator: RecordingJobCreator, store: MemoryTriggerStore
) -> None:
    one, other = (ScheduleTrigger(creator, [HOURLY], clock=clock, store=store) for _ in range(2))
    async with running(one, other):
        await one.add(MINUTELY)
        await clock.advance(2)
        assert list(other.schedules) == [HOURLY, MINUTELY]
        await other.pause("minutely", "enough")
        await clock.advance(2)
        assert one.paused == {"minutely": "enough"}
        await clock.advance(MINUTE)
        assert ticks_of(creator.jobs) == ["01 09:00:00"]
        await one.edit(replace(HOURLY, priority=4))
        await one.remove("minutely")
        await clock.advance(2)
        assert list(other.schedules) == [replace(HOURLY, priority=4)]


async def test_what_cannot_be_read_is_read_later(clock: SetClock, creator: RecordingJobCreator) -> None:
    class Failing(MemoryTriggerStore):
        is_down = False

        @override
        async def get(self, trigger: str, key: str) -> StoredValue | None:
            if self.is_down:
                raise DatabaseError("the store is down")
            return await super().get(trigger, key)

    store = Failing(clock=clock)
    one, other = (ScheduleTrigger(creator, [HOURLY], clock=clock, store=store) for _ in range(2))
    with capture_logs() as logs:
        async with running(one, other):
            await one.pause("hourly")
            store.is_down = True
            await clock.advance(2)
            store.is_down = False
            await clock.advance(2)
            assert other.paused == {"hourly": ""}

    assert "schedule_changes_not_read" in events_of(logs)


async def test_a_schedule_that_cannot_be_made_here_stops_nothing(
    clock: SetClock, creator: RecordingJobCreator, store: MemoryTriggerStore
) -> None:
    async with running(ScheduleTrigger(creator, [HOURLY], clock=clock, store=store)) as trigger:
        await trigger.add(MINUTELY)
        (key, stored), *_ = [
            item for item in (await store.entries("schedule/changes")).items() if item[0] == "definition:minutely"
        ]
        config = {**stored.value["config"], "timezone": "Mars/Phobos"}
        await store.put_many("schedule/changes", {key: {**stored.value, "config": config}, "revision": "x"})
        with capture_logs() as logs:
            await clock.advance(2)
        await clock.advance(MINUTE)

    assert "schedule_not_understood" in events_of(logs)
    assert "01 09:00:00" in ticks_of(creator.jobs)


async def test_a_day_of_edits_leaves_no_heap_of_dead_entries(clock: SetClock, creator: RecordingJobCreator) -> None:
    far_off = replace(HOURLY, cron="0 0 1 1 *")
    async with running(ScheduleTrigger(creator, [far_off], clock=clock)) as trigger:
        for number in range(2_500):
            await trigger.edit(replace(far_off, priority=number))

        assert len(trigger._book.agenda._places) < 1_100
