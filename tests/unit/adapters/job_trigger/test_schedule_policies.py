"""What becomes of ticks that were missed, that meet an unfinished job, or are due by a clock that is wrong."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock, call
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.adapters.job_trigger.schedule_trigger import ScheduleConfig, ScheduleTrigger
from portico.exceptions import DatabaseError, ValidationError
from portico.kits.job import JobService
from portico.ports.event_inbox import EventOutcome
from portico.ports.job import Job
from portico.ports.job_creator import JobCreator
from portico.ports.job_trigger import TriggerState
from portico.runtime.memory_state import MemoryEventInbox, MemoryTriggerStore
from portico.testing import FakeClock, RecordingJobCreator
from tests.unit.adapters.job_trigger.schedule_support import (
    DAY,
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


# ------------------------------------------------------------------------------------------------------ misfires


async def _after_downtime(schedule: ScheduleConfig, seconds: float) -> list[Job]:
    clock, creator = FakeClock(START), RecordingJobCreator()
    store = MemoryTriggerStore(clock=clock)
    async with running(ScheduleTrigger(creator, [schedule], clock=clock, store=store)):
        await clock.advance(MINUTE)
    before = len(creator.jobs)
    await clock.advance(seconds)
    async with running(ScheduleTrigger(creator, [schedule], clock=clock, store=store)):
        await clock.advance(1)
    return creator.jobs[before:]


@pytest.mark.parametrize(
    ("misfire", "expected"), [("once", ["01 11:00:00"]), ("skip", []), ("all", ["01 10:00:00", "01 11:00:00"])]
)
async def test_two_hours_of_downtime_end_as_misfire_says(misfire: Any, expected: list[str]) -> None:
    jobs = await _after_downtime(replace(HOURLY, misfire=misfire), 2 * HOUR + 60)

    assert ticks_of(jobs) == expected
    assert all(job.metadata["catch_up"] for job in jobs)


async def test_lateness_is_told() -> None:
    (job,) = await _after_downtime(HOURLY, 2 * HOUR)

    assert job.metadata["lateness_seconds"] == pytest.approx(30, abs=1)
    assert job.metadata["catch_up"] is False  # half a minute is no downtime


async def test_skip_leaves_out_what_is_more_than_a_minute_late() -> None:
    skipping = replace(HOURLY, misfire="skip")

    assert ticks_of(await _after_downtime(skipping, HOUR)) == ["01 10:00:00"]
    assert ticks_of(await _after_downtime(skipping, HOUR + 40)) == []


async def test_all_takes_the_latest_of_too_many() -> None:
    jobs = await _after_downtime(replace(MINUTELY, misfire="all", max_catchup=3), 2 * HOUR)

    assert ticks_of(jobs) == ["01 10:58:00", "01 10:59:00", "01 11:00:00"]
    assert [job.metadata["catch_up"] for job in jobs] == [True, True, False]


async def test_all_looks_back_no_further_than_the_window() -> None:
    schedule = replace(HOURLY, misfire="all", catchup_window=timedelta(hours=2, minutes=30))

    assert ticks_of(await _after_downtime(schedule, 5 * HOUR)) == ["01 12:00:00", "01 13:00:00", "01 14:00:00"]


async def test_a_window_of_nothing_gives_up_what_was_missed() -> None:
    assert await _after_downtime(replace(HOURLY, catchup_window=timedelta(0)), 90 * MINUTE) == []


async def test_a_day_of_missed_seconds_is_caught_up_within_bounds(creator: RecordingJobCreator) -> None:
    schedule = ScheduleConfig(every=1, job_type="a", misfire="all", max_catchup=50)

    jobs = await _after_downtime(schedule, DAY)

    assert len(jobs) in (50, 51)  # and the tick of the second in which it runs


async def test_a_suspended_process_catches_up_each_tick_where_it_should(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    schedule = ScheduleConfig(every=1, job_type="a", misfire="all")
    async with running(ScheduleTrigger(creator, [schedule], clock=clock)):
        await clock.advance(2)
        await clock.jump(5)
        await clock.advance(1)

    assert ticks_of(creator.jobs) == [f"01 08:59:{second}" for second in range(31, 39)]


async def test_what_is_left_out_is_told(clock: SetClock, creator: RecordingJobCreator) -> None:
    with capture_logs() as logs:
        async with running(ScheduleTrigger(creator, [MINUTELY], clock=clock)):
            await clock.jump(2 * HOUR)

    (missed,) = [entry for entry in logs if entry["event"] == "scheduled_ticks_missed"]
    assert (missed["schedules"], missed["created"], missed["caught_up"]) == (1, 1, ["minutely"])


async def test_after_a_downtime_thousands_of_schedules_are_a_line_for_each_batch(clock: SetClock) -> None:
    with capture_logs() as logs:
        async with running(ScheduleTrigger(RecordingJobCreator(), _many(1_000), clock=clock)):
            await clock.jump(2 * HOUR)

    lines = [entry for entry in logs if entry["event"] == "scheduled_ticks_missed"]
    assert sum(entry["schedules"] for entry in lines) == 1_000
    assert len(lines) <= 20


# ------------------------------------------------------------------------------------------------------- overlap


class _Work:
    """A queue with a service on it."""

    def __init__(self, clock: FakeClock) -> None:
        self.queue = MemoryJobQueueAdapter(clock=clock)
        self.service = JobService(self.queue, clock=clock)

    async def claim(self) -> Job:
        job = await self.queue.dequeue("default", timeout=0)
        assert job is not None
        return job

    async def ticks(self) -> list[str]:
        return ticks_of((await self.queue.list_jobs())[::-1])


async def test_overlap_is_allowed_unless_it_is_not(clock: SetClock) -> None:
    work = _Work(clock)
    async with running(ScheduleTrigger(work.service, [MINUTELY], clock=clock)):
        await clock.advance(2 * MINUTE)

    assert await work.ticks() == ["01 09:00:00", "01 09:01:00"]


async def test_skip_leaves_ticks_out_while_a_job_is_unfinished(clock: SetClock) -> None:
    work, inbox = _Work(clock), MemoryEventInbox()
    schedule = replace(MINUTELY, overlap="skip")
    async with running(ScheduleTrigger(work.service, [schedule], clock=clock, inbox=inbox)) as trigger:
        await clock.advance(2 * MINUTE)
        job = await work.claim()
        await clock.advance(MINUTE)
        await work.queue.acknowledge(job.id)
        await clock.advance(MINUTE)

        assert await work.ticks() == ["01 09:00:00", "01 09:03:00"]
        assert trigger.get_health().filtered_count == 2
    filtered = await inbox.list_events(outcome=EventOutcome.FILTERED)
    assert {event.reason for event in filtered} == {"the last job of the schedule is unfinished"}


async def test_queue_one_lets_a_single_tick_wait_for_the_end_of_the_job(clock: SetClock) -> None:
    work = _Work(clock)
    schedule = replace(MINUTELY, overlap="queue_one")
    async with running(ScheduleTrigger(work.service, [schedule], clock=clock)):
        await clock.advance(30)
        job = await work.claim()
        await clock.advance(3 * MINUTE + 10)
        assert await work.ticks() == ["01 09:00:00"]
        await work.queue.acknowledge(job.id)
        await clock.advance(2)
        # the one that waited; those in between are left out
        assert await work.ticks() == ["01 09:00:00", "01 09:01:00"]
        await work.queue.acknowledge((await work.claim()).id)
        await clock.advance(MINUTE)

    assert await work.ticks() == ["01 09:00:00", "01 09:01:00", "01 09:04:00"]


async def test_a_tick_that_waits_is_still_due_after_a_restart(clock: SetClock) -> None:
    work, store = _Work(clock), MemoryTriggerStore(clock=clock)
    schedule = replace(HOURLY, overlap="queue_one")
    for _ in range(2):
        async with running(ScheduleTrigger(work.service, [schedule], clock=clock, store=store)):
            await clock.advance(HOUR)
    await work.queue.acknowledge((await work.claim()).id)
    async with running(ScheduleTrigger(work.service, [schedule], clock=clock, store=store)):
        await clock.advance(2)

    assert await work.ticks() == ["01 09:00:00", "01 10:00:00"]


async def test_two_schedules_of_one_id_keep_each_other_out_only_where_trigger_and_type_are_one(clock: SetClock) -> None:
    work = _Work(clock)
    schedule = replace(MINUTELY, overlap="skip", schedule_id="x")
    others = [
        ScheduleTrigger(work.service, [replace(schedule, job_type="report")], clock=clock),
        ScheduleTrigger(work.service, [schedule], clock=clock, name="other"),
    ]
    async with running(ScheduleTrigger(work.service, [schedule], clock=clock), *others):
        await clock.advance(2 * MINUTE)

    keys = {job.metadata["unique_key"] for job in await work.queue.list_jobs()}
    assert keys == {"schedule:health.check:x", "schedule:report:x", "other:health.check:x"}


async def test_replicas_of_one_schedule_do_not_keep_each_other_waiting(clock: SetClock) -> None:
    work, store = _Work(clock), MemoryTriggerStore(clock=clock)
    schedule = replace(MINUTELY, overlap="queue_one")
    replicas = [ScheduleTrigger(work.service, [schedule], clock=clock, store=store) for _ in range(2)]
    async with running(*replicas):
        for _ in range(3):
            await clock.advance(MINUTE)
            await work.queue.acknowledge((await work.claim()).id)

    assert await work.ticks() == ["01 09:00:00", "01 09:01:00", "01 09:02:00"]


async def test_many_schedules_that_overlap_are_held_apart_from_those_that_do_not(clock: SetClock) -> None:
    work = _Work(clock)
    schedules = [replace(MINUTELY, schedule_id=f"s{number}", overlap="skip") for number in range(5)]
    async with running(ScheduleTrigger(work.service, [*schedules, MINUTELY], clock=clock)):
        await clock.advance(3 * MINUTE)

    assert len(await work.ticks()) == 5 + 3


# -------------------------------------------------------------------------------------------------------- jitter


async def test_jitter_delays_the_job_alike_on_every_replica(clock: SetClock) -> None:
    creators = [RecordingJobCreator() for _ in range(2)]
    schedule = replace(MINUTELY, jitter=timedelta(seconds=30))
    async with running(*[ScheduleTrigger(each, [schedule], clock=clock) for each in creators]):
        await clock.advance(5 * MINUTE)

    one, other = ([job.scheduled_at for job in each.jobs] for each in creators)
    assert one == other
    delays = [
        at - datetime.fromisoformat(job.metadata["scheduled_for"])
        for at, job in zip(one, creators[0].jobs, strict=True)
        if at is not None
    ]
    assert len(set(delays)) == 5
    assert all(timedelta(0) <= delay <= timedelta(seconds=30) for delay in delays)


# ------------------------------------------------------------------------------------------------------- batches


class CountingCreator(RecordingJobCreator):
    """Tells how it was asked."""

    def __init__(self, refused: str = "") -> None:
        super().__init__()
        self.batches: list[int] = []
        self.refused = refused

    @override
    async def create_jobs(self, requests: Any) -> list[Job]:
        self.batches.append(len(requests))
        if any(request.job_type == self.refused for request in requests):
            raise ValidationError(f"no handler for '{self.refused}'")
        return await super().create_jobs(requests)


def _many(count: int, **changes: Any) -> list[ScheduleConfig]:
    return [replace(MINUTELY, schedule_id=f"s{number}", **changes) for number in range(count)]


async def test_ticks_of_one_time_are_created_in_batches(clock: SetClock) -> None:
    creator, inbox = CountingCreator(), MemoryEventInbox()
    async with running(ScheduleTrigger(creator, _many(250), clock=clock, inbox=inbox)) as trigger:
        await clock.advance(MINUTE)
        assert trigger.get_health().jobs_created_count == 250

    assert sum(creator.batches) == 250
    assert len(creator.batches) < 10


async def test_each_tick_of_a_batch_is_a_line_in_the_inbox(clock: SetClock) -> None:
    creator, inbox = CountingCreator(), MemoryEventInbox()
    async with running(ScheduleTrigger(creator, _many(250), clock=clock, inbox=inbox)):
        await clock.advance(MINUTE)
        entries = await inbox.list_events(limit=1_000)

    expected = {(job.id,): f"{job.metadata['schedule_id']}:1893488400" for job in creator.jobs}
    assert {entry.job_ids: entry.source_id for entry in entries} == expected
    assert len(entries) == 250


async def test_each_job_of_a_batch_is_a_line_in_the_log_with_its_cron(clock: SetClock) -> None:
    creator = CountingCreator()
    every = ScheduleConfig(every=MINUTE, job_type="health.check", schedule_id="every")
    with capture_logs() as logs:
        async with running(ScheduleTrigger(creator, [MINUTELY, HOURLY, every], clock=clock)):
            await clock.advance(MINUTE)

    lines = [entry for entry in logs if entry["event"] == "job_created_from_schedule"]
    assert creator.batches == [3]
    assert {(line["schedule_id"], line.get("cron"), line.get("when")) for line in lines} == {
        ("minutely", "* * * * *", None),
        ("hourly", "0 * * * *", None),
        ("every", None, "every 60 s"),
    }
    assert {line["job_id"] for line in lines} == {str(job.id) for job in creator.jobs}


async def test_what_somebody_asked_for_is_in_the_inbox_too(clock: SetClock) -> None:
    inbox = MemoryEventInbox()
    async with running(ScheduleTrigger(CountingCreator(), [HOURLY], clock=clock, inbox=inbox)) as trigger:
        (ran,) = filter(None, [await trigger.run_now("hourly")])
        filled = await trigger.backfill("hourly", START - timedelta(hours=2, minutes=30))
        await clock.settle()
        entries = await inbox.list_events()

    assert [entry.job_ids for entry in entries[::-1]] == [(job.id,) for job in [ran, *filled]]


async def test_a_stuck_inbox_holds_up_no_tick(clock: SetClock) -> None:
    class Stuck(MemoryEventInbox):
        @override
        async def record_many(self, events: Any) -> None:
            await clock.sleep(DAY)

    creator = CountingCreator()
    async with running(ScheduleTrigger(creator, _many(20), clock=clock, inbox=Stuck())) as trigger:
        await clock.advance(3 * MINUTE)
        assert len(creator.jobs) == 60
        stopping = asyncio.create_task(trigger.stop())
        await clock.advance(2 * DAY)
        await stopping


async def test_the_highest_priority_of_one_time_is_created_first(clock: SetClock) -> None:
    creator = CountingCreator()
    schedules = [replace(each, priority=number % 3) for number, each in enumerate(_many(300))]
    async with running(ScheduleTrigger(creator, schedules, clock=clock)):
        await clock.advance(MINUTE)

    priorities = [job.priority for job in creator.jobs]
    assert priorities == sorted(priorities, reverse=True)


async def test_one_refused_job_spoils_no_batch(clock: SetClock) -> None:
    creator = CountingCreator(refused="unknown.type")
    schedules = [*_many(20), replace(MINUTELY, job_type="unknown.type", schedule_id="odd")]
    async with running(ScheduleTrigger(creator, schedules, clock=clock)) as trigger:
        await clock.advance(MINUTE)
        health = trigger.get_health()

    assert len(creator.jobs) == 20
    assert (health.jobs_created_count, health.rejected_count) == (20, 1)


async def test_a_store_that_is_down_fails_a_batch_as_one(clock: SetClock) -> None:
    creator, alerts = CountingCreator(), AsyncMock()
    creator.fail_next(DatabaseError("the store is down"), times=3)
    with capture_logs() as logs:
        async with running(ScheduleTrigger(creator, _many(20), clock=clock, alert_service=alerts)):
            await clock.advance(MINUTE)

    assert len(creator.jobs) == 20
    assert creator.batches == [20, 20, 20, 20]
    alert = call(
        level="error", message="Failed to create scheduled job: health.check", context={"error": "the store is down"}
    )
    assert alerts.send_alert.await_args_list == [alert] * 20
    failures = [entry for entry in logs if entry["event"] == "scheduled_job_creation_failed"]
    attempts = {(entry["attempt"], entry["schedule_id"]) for entry in failures}
    assert attempts == {(attempt, f"s{number}") for attempt in (1, 2, 3) for number in range(20)}


async def test_an_alert_service_that_hangs_delays_the_next_attempt_of_a_batch_by_one_time_limit(
    clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portico.runtime.scheduled_jobs._ALERT_TIMEOUT_SECONDS", 0.01)
    creator, alerts = CountingCreator(), AsyncMock()
    creator.fail_next(DatabaseError("the store is down"))
    alerts.send_alert.side_effect = asyncio.Event().wait
    trigger = ScheduleTrigger(creator, _many(20), clock=clock, alert_service=alerts, max_retries=1)
    with capture_logs() as logs:
        async with running(trigger):
            await clock.advance(30)
            async with asyncio.timeout(1):
                while events_of(logs).count("alert_failed") < 20:
                    await asyncio.sleep(0.001)
            await clock.advance(2)

    assert creator.batches == [20, 20]


async def test_an_override_is_called_for_each_tick_of_a_batch(clock: SetClock, creator: RecordingJobCreator) -> None:
    trigger = ScheduleTrigger(creator, _many(20), clock=clock)
    trigger._create_scheduled_job = AsyncMock()  # type: ignore[method-assign] # - as a test of a user may
    async with running(trigger):
        await clock.advance(MINUTE)

    assert trigger._create_scheduled_job.await_count == 20
    assert creator.jobs == []


async def test_cursors_of_a_batch_are_kept_when_it_stops(clock: SetClock, creator: RecordingJobCreator) -> None:
    store = MemoryTriggerStore(clock=clock)
    async with running(ScheduleTrigger(creator, _many(250), clock=clock, store=store)):
        await clock.advance(31)

    cursors = await store.entries("schedule")
    assert {stored.value["reached"] for stored in cursors.values()} == {"2030-01-01T09:00:00+00:00"}
    assert len(cursors) == 250


async def test_a_cursor_that_cannot_be_saved_for_whatever_reason_brings_no_tick_again(clock: SetClock) -> None:
    class Broken(MemoryTriggerStore):
        is_broken = False

        @override
        async def compare_and_set(self, *args: Any, **kwargs: Any) -> int | None:
            if self.is_broken:
                raise RuntimeError("a bug of the store")
            return await super().compare_and_set(*args, **kwargs)

    store = Broken(clock=clock)
    creator = AsyncMock(spec=JobCreator)  # knows no keys
    with capture_logs() as logs:
        async with running(ScheduleTrigger(creator, [MINUTELY], clock=clock, store=store)):
            store.is_broken = True
            await clock.advance(2 * MINUTE)

    assert creator.create_job.await_count == 2
    assert "schedule_cursors_not_saved" in events_of(logs)


async def test_a_creator_that_cannot_look_lets_the_tick_be_tried_every_second(clock: SetClock) -> None:
    work = _Work(clock)

    class Blind(OneByOne):
        @override
        async def create_job(self, *args: Any, **kwargs: Any) -> Job:
            return await work.service.create_job(*args, **kwargs)

        @override
        async def get_job(self, job_id: UUID) -> Job | None:
            raise RuntimeError("not here")

    schedule = replace(MINUTELY, overlap="queue_one")
    async with running(ScheduleTrigger(Blind(), [schedule, HOURLY], clock=clock)):
        await clock.advance(MINUTE + 40)
        await work.queue.acknowledge((await work.claim()).id)
        await clock.advance(2)

    assert "01 09:01:00" in await work.ticks()


# ---------------------------------------------------------------------------------------------------- the clock


class OwnClockStore(MemoryTriggerStore):
    """A store on another host."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock=clock)
        self.is_down = False

    @override
    async def now(self) -> datetime:
        if self.is_down:
            raise DatabaseError("the store is down")
        return await super().now()


async def test_nothing_fires_while_the_clocks_of_host_and_store_are_apart(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    right, alerts = FakeClock(START), AsyncMock()
    store = OwnClockStore(right)
    with capture_logs() as logs:
        async with running(
            ScheduleTrigger(creator, [MINUTELY], clock=clock, store=store, alert_service=alerts)
        ) as trigger:
            clock.offset = timedelta(hours=3)
            await clock.advance(3)
            assert creator.jobs == []
            assert trigger.get_health().state is TriggerState.DEGRADED
            assert "10800 s apart" in str(trigger.get_health().last_error)
            clock.offset = timedelta(0)
            await clock.advance(27)
            assert trigger.get_health().state is TriggerState.RUNNING

    assert ticks_of(creator.jobs) == ["01 09:00:00"]
    assert alerts.send_alert.await_count == 1
    assert [event for event in events_of(logs) if event.startswith("schedule_clock")] == [
        "schedule_clock_distrusted",
        "schedule_clock_trusted",
    ]


async def test_a_minute_apart_is_close_enough(creator: RecordingJobCreator) -> None:
    clock = FakeClock(START)
    store = OwnClockStore(FakeClock(START + timedelta(seconds=60)))
    async with running(ScheduleTrigger(creator, [MINUTELY], clock=clock, store=store)):
        await clock.advance(30)

    assert len(creator.jobs) == 1


async def test_a_store_that_cannot_tell_the_time_changes_nothing(clock: SetClock, creator: RecordingJobCreator) -> None:
    store = OwnClockStore(FakeClock(START))
    async with running(ScheduleTrigger(creator, [MINUTELY], clock=clock, store=store)):
        store.is_down = True
        await clock.jump(HOUR)

    assert len(creator.jobs) == 1


async def test_a_new_schedule_does_not_begin_in_the_future_of_a_wrong_clock(creator: RecordingJobCreator) -> None:
    store = OwnClockStore(FakeClock(START))
    wrong = FakeClock(START + timedelta(days=900))
    async with running(ScheduleTrigger(creator, [HOURLY], clock=wrong, store=store)):
        await wrong.advance(5)
    right = FakeClock(START)
    async with running(ScheduleTrigger(creator, [HOURLY], clock=right, store=store)):
        await right.advance(MINUTE)

    assert ticks_of(creator.jobs) == ["01 09:00:00"]


async def test_a_cursor_that_a_wrong_clock_has_left_silences_nothing(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    store = MemoryTriggerStore(clock=clock)
    far_off = {"reached": datetime(2040, 1, 1, tzinfo=UTC).isoformat(), "timing": HOURLY.timing()}
    await store.put_many("schedule", {"schedule:hourly": far_off})
    async with running(ScheduleTrigger(creator, [HOURLY], clock=clock, store=store)):
        await clock.advance(MINUTE)
        (stored,) = (await store.entries("schedule")).values()

    assert ticks_of(creator.jobs) == ["01 09:00:00"]
    assert stored.value["reached"] == "2030-01-01T09:00:00+00:00"
