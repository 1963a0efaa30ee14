"""When the schedule trigger creates which job, and what happens when it cannot."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock, call
from uuid import NAMESPACE_DNS, uuid5

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from portico.adapters.job_trigger.schedule_trigger import ScheduleConfig, ScheduleTrigger
from portico.exceptions import ConfigurationError, DatabaseError, ValidationError
from portico.ports.event_inbox import EventInbox, EventOutcome
from portico.ports.job import Job
from portico.ports.job_creator import JobCreator
from portico.ports.job_trigger import TriggerState
from portico.runtime.memory_state import MemoryEventInbox, MemoryTriggerStore
from portico.testing import FakeClock, RecordingJobCreator
from tests.unit.adapters.job_trigger.schedule_support import (
    DAY,
    HOUR,
    MINUTE,
    MINUTELY,
    START,
    OneByOne,
    SetClock,
    SlowCreator,
    events_of,
    running,
    ticks_of,
)

pytestmark = pytest.mark.asyncio

NINE = datetime(2030, 1, 1, 9, tzinfo=UTC)
DAILY = ScheduleConfig(
    cron="0 9 * * *",
    job_type="report.daily",
    payload={"report_type": "daily_summary"},
    queue_name="reports",
    priority=5,
    schedule_id="daily",
)
DOWN = DatabaseError("the store is down")


class OneTypeFails(OneByOne):
    """Cannot create jobs of one type."""

    def __init__(self, failing_type: str, error: Exception = DOWN) -> None:
        super().__init__()
        self.failing_type = failing_type
        self.error = error
        self.attempts = 0

    @override
    async def create_job(
        self, job_type: str, payload: dict[str, Any], queue_name: str = "default", priority: int = 0, **kwargs: Any
    ) -> Job:
        if job_type == self.failing_type:
            self.attempts += 1
            raise self.error
        return await super().create_job(job_type, payload, queue_name, priority, **kwargs)


class FailingStore(MemoryTriggerStore):
    """Loses its connection when it is told to."""

    is_down = False

    @override
    async def compare_and_set(self, trigger: str, key: str, value: Any, *, expected_version: int) -> int | None:
        if self.is_down:
            raise DOWN
        return await super().compare_and_set(trigger, key, value, expected_version=expected_version)


# ------------------------------------------------------------------------------------------- the ordinary tick


async def test_a_tick_asks_for_the_job_as_configured(clock: SetClock) -> None:
    creator = AsyncMock(spec=JobCreator)
    async with running(ScheduleTrigger(creator, [DAILY], clock=clock)):
        await clock.advance(MINUTE)

    creator.create_job.assert_awaited_once_with(
        job_type="report.daily",
        payload={"report_type": "daily_summary"},
        queue_name="reports",
        priority=5,
        metadata={
            "idempotency_key": "schedule:report.daily:daily:1893488400",
            "schedule_id": "daily",
            "scheduled_for": "2030-01-01T09:00:00+00:00",
            "scheduled_for_local": "2030-01-01T09:00:00+00:00",
            "lateness_seconds": 0.0,
            "catch_up": False,
        },
    )


async def test_the_schedules_of_the_documentation_fire_on_time(clock: SetClock, creator: RecordingJobCreator) -> None:
    schedules = [
        DAILY,
        ScheduleConfig(
            cron="0 * * * *", job_type="cleanup.temp_files", payload={"max_age_hours": 24}, queue_name="maintenance"
        ),
        ScheduleConfig(cron="0 2 * * 0", job_type="backup.full", payload={"backup_type": "weekly"}, priority=10),
    ]
    async with running(ScheduleTrigger(job_creator=creator, schedules=schedules, clock=clock)):
        for _ in range(7 * 24):
            await clock.jump(HOUR)

    made = [job.job_type for job in creator.jobs]
    assert {job_type: made.count(job_type) for job_type in made} == {
        "report.daily": 7,
        "cleanup.temp_files": 168,
        "backup.full": 1,
    }
    sunday = next(job for job in creator.jobs if job.job_type == "backup.full")
    assert sunday.metadata["scheduled_for"] == "2030-01-06T02:00:00+00:00"


async def test_nothing_fires_before_its_tick(clock: SetClock, creator: RecordingJobCreator) -> None:
    async with running(ScheduleTrigger(creator, [DAILY], clock=clock)):
        await clock.advance(29.999)
        assert creator.jobs == []
        await clock.advance(0.001)
        assert ticks_of(creator.jobs) == ["01 09:00:00"]


async def test_an_interval_fires_at_its_multiples(clock: SetClock, creator: RecordingJobCreator) -> None:
    async with running(ScheduleTrigger(creator, [ScheduleConfig(every=10, job_type="a")], clock=clock)):
        await clock.advance(30)

    assert ticks_of(creator.jobs) == ["01 08:59:40", "01 08:59:50", "01 09:00:00"]


async def test_an_interval_below_a_second_keeps_time(clock: SetClock, creator: RecordingJobCreator) -> None:
    async with running(ScheduleTrigger(creator, [ScheduleConfig(every=0.25, job_type="a")], clock=clock)):
        await clock.advance(2)

    assert len(creator.jobs) == 8


async def test_a_schedule_fires_by_the_wall_clock_of_its_zone(clock: SetClock, creator: RecordingJobCreator) -> None:
    schedule = ScheduleConfig(cron="0 10 * * *", job_type="a", timezone="Europe/Paris")
    async with running(ScheduleTrigger(creator, [schedule], clock=clock)):
        await clock.advance(MINUTE)

    assert [job.metadata["scheduled_for"] for job in creator.jobs] == ["2030-01-01T09:00:00+00:00"]


async def test_each_tick_has_a_payload_of_its_own(clock: SetClock, creator: RecordingJobCreator) -> None:
    schedule = ScheduleConfig(cron="* * * * *", job_type="a", payload={"items": []})
    async with running(ScheduleTrigger(creator, [schedule], clock=clock)):
        await clock.advance(MINUTE)
        creator.jobs[0].payload["items"].append("changed by a handler")
        await clock.advance(MINUTE)

    assert creator.jobs[1].payload == {"items": []}


async def test_the_inbox_tells_what_became_of_a_tick(clock: SetClock, creator: RecordingJobCreator) -> None:
    inbox = MemoryEventInbox()
    async with running(ScheduleTrigger(creator, [DAILY], clock=clock, inbox=inbox)):
        await clock.advance(MINUTE)

    (event,) = await inbox.list_events()
    assert (event.outcome, event.source_id) == (EventOutcome.ACCEPTED, "daily:1893488400")
    assert event.job_ids == (creator.jobs[0].id,)


async def test_no_schedules_fire_nothing(clock: SetClock, creator: RecordingJobCreator) -> None:
    async with running(ScheduleTrigger(creator, [], clock=clock)) as trigger:
        await clock.jump(DAY)
        assert trigger.is_running

    assert creator.jobs == []


async def test_what_is_next_can_be_seen(clock: SetClock, creator: RecordingJobCreator) -> None:
    trigger = ScheduleTrigger(creator, [DAILY, replace(MINUTELY, cron="30 9 * * *")], clock=clock)

    assert trigger.next_fire() == NINE
    assert [schedule.schedule_id for schedule in trigger.schedules] == ["daily", "minutely"]
    assert trigger.queue_names == {"reports", "default"}
    assert trigger.job_types == {"report.daily", "health.check"}
    assert ScheduleTrigger(creator, []).next_fire() is None


# ----------------------------------------------------------------------------------------- replicas and clocks


async def test_three_replicas_with_skewed_clocks_make_one_job_a_tick(creator: RecordingJobCreator) -> None:
    clocks = [FakeClock(START + timedelta(seconds=skew)) for skew in (-7, 0, 11)]
    store = MemoryTriggerStore(clock=clocks[1])
    replicas = [ScheduleTrigger(creator, [MINUTELY], clock=clock, store=store) for clock in clocks]
    for replica in replicas:
        await replica.start()
    for _ in range(30):
        for clock in clocks:
            await clock.advance(10)
    for replica in replicas:
        await replica.stop()

    assert len(creator.jobs) == 5
    assert len(set(ticks_of(creator.jobs))) == 5
    assert sum(replica.get_health().duplicates_count for replica in replicas) == 10


async def test_a_clock_that_goes_back_fires_nothing_twice(clock: SetClock) -> None:
    creator = AsyncMock(spec=JobCreator)  # knows no keys
    async with running(ScheduleTrigger(creator, [MINUTELY], clock=clock)):
        await clock.advance(2 * MINUTE)
        clock.offset = timedelta(minutes=-10)
        await clock.advance(9 * MINUTE)

    assert creator.create_job.await_count == 2


async def test_a_clock_that_was_a_year_ahead_silences_nothing(clock: SetClock, creator: RecordingJobCreator) -> None:
    async with running(ScheduleTrigger(creator, [MINUTELY], clock=clock)):
        clock.offset = timedelta(days=365)
        await clock.advance(MINUTE)
        clock.offset = timedelta(0)
        await clock.advance(3 * MINUTE)

    assert ticks_of(creator.jobs)[-1] == "01 09:03:00"


async def test_a_machine_that_slept_fires_the_latest_missed_tick(clock: SetClock, creator: RecordingJobCreator) -> None:
    with capture_logs() as logs:
        async with running(ScheduleTrigger(creator, [MINUTELY], clock=clock)):
            await clock.jump(2 * HOUR)

    assert ticks_of(creator.jobs) == ["01 10:59:00"]
    assert "scheduled_ticks_missed" in events_of(logs)


# ------------------------------------------------------------------------------------------ restarts and cursors


async def _after_downtime(
    before: ScheduleConfig, after: ScheduleConfig, seconds: float
) -> tuple[RecordingJobCreator, MemoryTriggerStore]:
    clock, creator = FakeClock(START), RecordingJobCreator()
    store = MemoryTriggerStore(clock=clock)
    async with running(ScheduleTrigger(creator, [before], clock=clock, store=store)):
        pass
    await clock.advance(seconds)
    async with running(ScheduleTrigger(creator, [after], clock=clock, store=store)):
        await clock.advance(1)
    return creator, store


async def test_after_a_restart_the_latest_missed_tick_is_created_once() -> None:
    creator, _ = await _after_downtime(MINUTELY, MINUTELY, 2 * HOUR)

    assert ticks_of(creator.jobs) == ["01 10:59:00"]


async def test_a_tick_missed_longer_than_the_window_is_given_up() -> None:
    weekly = replace(MINUTELY, cron="0 9 1 * *")

    creator, _ = await _after_downtime(weekly, weekly, DAY + 2 * MINUTE)

    assert creator.jobs == []


async def test_an_edited_schedule_starts_from_now() -> None:
    creator, _ = await _after_downtime(DAILY, replace(DAILY, cron="5 9 * * *"), HOUR)

    assert creator.jobs == []


async def test_another_payload_under_the_same_id_and_times_is_no_new_schedule() -> None:
    creator, _ = await _after_downtime(DAILY, replace(DAILY, payload={"new": True}), HOUR)

    assert [job.payload for job in creator.jobs] == [{"new": True}]


async def test_a_new_schedule_starts_from_now(clock: SetClock, creator: RecordingJobCreator) -> None:
    clock.offset = timedelta(minutes=10)
    async with running(ScheduleTrigger(creator, [DAILY], clock=clock)):
        await clock.advance(5 * MINUTE)

    assert creator.jobs == []


async def test_a_crash_between_creation_and_cursor_makes_no_second_job(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    store = FailingStore(clock=clock)
    async with running(ScheduleTrigger(creator, [MINUTELY], clock=clock, store=store)):
        store.is_down = True
        await clock.advance(MINUTE)
        assert len(creator.jobs) == 1
    store.is_down = False
    async with running(ScheduleTrigger(creator, [MINUTELY], clock=clock, store=store)) as trigger:
        await clock.advance(1)
        assert trigger.get_health().duplicates_count == 1

    assert len(creator.jobs) == 1


async def test_a_store_that_is_down_holds_up_no_later_tick(clock: SetClock, creator: RecordingJobCreator) -> None:
    store = FailingStore(clock=clock)
    async with running(ScheduleTrigger(creator, [MINUTELY], clock=clock, store=store)):
        store.is_down = True
        await clock.advance(3 * MINUTE)

    assert len(creator.jobs) == 3


async def test_the_cursor_of_a_replica_that_is_behind_does_not_go_back(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    store = MemoryTriggerStore(clock=clock)
    late_clock = FakeClock(START)
    late = ScheduleTrigger(creator, [MINUTELY], clock=late_clock, store=store)
    async with running(late), running(ScheduleTrigger(creator, [MINUTELY], clock=clock, store=store)):
        await clock.advance(5 * MINUTE)
        await late_clock.advance(MINUTE)
        (stored,) = (await store.entries("schedule")).values()

    assert stored.value["reached"] == "2030-01-01T09:04:00+00:00"


# ------------------------------------------------------------------------------------------------------ failures


async def test_a_failed_creation_is_tried_again_after_growing_waits(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    creator.fail_next(DOWN, times=2)
    alerts = AsyncMock()
    with capture_logs() as logs:
        async with running(ScheduleTrigger(creator, [DAILY], clock=clock, alert_service=alerts)) as trigger:
            await clock.advance(30 + 2.9)
            assert creator.jobs == []
            assert trigger.get_health().state is TriggerState.DEGRADED
            await clock.advance(0.1)

    assert ticks_of(creator.jobs) == ["01 09:00:00"]
    failures = [entry for entry in logs if entry["event"] == "scheduled_job_creation_failed"]
    assert [entry["attempt"] for entry in failures] == [1, 2]
    assert failures[0]["job_type"] == "report.daily"
    alerts.send_alert.assert_not_awaited()
    assert trigger.get_health().errors_count == 2


async def test_after_the_last_attempt_an_alert_names_the_job_type(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    creator.fail_next(DOWN, times=3)
    alerts = AsyncMock()
    with capture_logs() as logs:
        async with running(ScheduleTrigger(creator, [DAILY], clock=clock, alert_service=alerts)):
            await clock.advance(30 + 3)

    alerts.send_alert.assert_awaited_once_with(
        level="error",
        message="Failed to create scheduled job: report.daily",
        context={"error": "the store is down"},
    )
    assert "scheduled_job_creation_failed_permanently" in events_of(logs)


async def test_the_tick_stays_due_after_the_alert_which_comes_once(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    creator.fail_next(DOWN, times=10)
    alerts = AsyncMock()
    async with running(ScheduleTrigger(creator, [DAILY], clock=clock, alert_service=alerts)):
        await clock.advance(10 * MINUTE)

    assert ticks_of(creator.jobs) == ["01 09:00:00"]
    assert alerts.send_alert.await_count == 1


async def test_later_waits_are_a_minute_at_most(clock: SetClock) -> None:
    creator = OneTypeFails("report.daily")
    async with running(ScheduleTrigger(creator, [DAILY], clock=clock)):
        await clock.advance(5 * MINUTE)
        before = creator.attempts
        await clock.advance(3 * MINUTE)

    assert creator.attempts == before + 3


async def test_a_tick_that_fails_for_a_day_is_given_up_and_the_next_one_tried(clock: SetClock) -> None:
    creator = OneTypeFails("report.daily")
    alerts = AsyncMock()
    with capture_logs() as logs:
        async with running(ScheduleTrigger(creator, [DAILY], clock=clock, alert_service=alerts)):
            await clock.advance(MINUTE)
            await clock.jump(DAY)
            await clock.advance(MINUTE)
            creator.failing_type = "none"
            await clock.advance(MINUTE)

    assert "scheduled_tick_given_up" in events_of(logs)
    assert ticks_of(creator.jobs) == ["02 09:00:00"]
    assert alerts.send_alert.await_count == 2


async def test_a_number_of_attempts_and_a_delay_of_ones_own(clock: SetClock, creator: RecordingJobCreator) -> None:
    creator.fail_next(DOWN, times=1)
    alerts = AsyncMock()
    trigger = ScheduleTrigger(creator, [DAILY], clock=clock, alert_service=alerts, max_retries=1, retry_base_delay=0.0)
    async with running(trigger):
        await clock.advance(30)
        assert alerts.send_alert.await_count == 1
        await clock.advance(1)

    assert len(creator.jobs) == 1


async def test_an_alert_that_cannot_be_sent_changes_nothing(clock: SetClock, creator: RecordingJobCreator) -> None:
    creator.fail_next(DOWN, times=3)
    alerts = AsyncMock()
    alerts.send_alert.side_effect = RuntimeError("no network; token=secret")
    with capture_logs() as logs:
        async with running(ScheduleTrigger(creator, [DAILY], clock=clock, alert_service=alerts)):
            await clock.advance(5 * MINUTE)

    assert len(creator.jobs) == 1
    assert "alert_failed" in events_of(logs)
    assert "secret" not in str(logs)


async def test_a_failing_schedule_holds_up_no_other(clock: SetClock) -> None:
    creator = OneTypeFails("report.daily")
    async with running(ScheduleTrigger(creator, [DAILY, MINUTELY], clock=clock)):
        await clock.advance(30 + 2 * MINUTE)

    assert ticks_of(creator.jobs) == ["01 09:00:00", "01 09:01:00", "01 09:02:00"]


async def test_a_slow_creation_holds_up_no_other_and_its_own_later_ticks_become_one(clock: SetClock) -> None:
    creator = SlowCreator("slow")
    slow = ScheduleConfig(cron="* * * * *", job_type="slow")
    async with running(ScheduleTrigger(creator, [slow, MINUTELY], clock=clock)):
        await clock.advance(5 * MINUTE)
        assert len(creator.jobs) == 5
        creator.may_go_on.set()
        await clock.settle()

    slow_ticks = [job.metadata["scheduled_for"] for job in creator.jobs if job.job_type == "slow"]
    assert slow_ticks == ["2030-01-01T09:00:00+00:00", "2030-01-01T09:04:00+00:00"]


async def test_a_refused_job_is_kept_in_the_inbox_and_not_tried_again(clock: SetClock) -> None:
    creator = OneTypeFails("report.daily", ValidationError("no handler for 'report.daily'"))
    inbox, alerts = MemoryEventInbox(), AsyncMock()
    trigger = ScheduleTrigger(creator, [DAILY], clock=clock, inbox=inbox, alert_service=alerts)
    async with running(trigger):
        await clock.advance(5 * MINUTE)

    (event,) = await inbox.list_events()
    assert (event.outcome, event.reason) == (EventOutcome.REJECTED, "no handler for 'report.daily'")
    assert event.body == b'{"report_type": "daily_summary"}'
    assert creator.attempts == 1
    assert alerts.send_alert.await_count == 1
    assert (trigger.get_health().errors_count, trigger.get_health().rejected_count) == (0, 1)


async def test_a_refused_job_that_cannot_be_kept_stays_due(clock: SetClock) -> None:
    creator = OneTypeFails("report.daily", ValidationError("refused"))
    inbox = AsyncMock(spec=EventInbox)
    inbox.record.side_effect = [DOWN, None]
    async with running(ScheduleTrigger(creator, [DAILY], clock=clock, inbox=inbox)):
        await clock.advance(5 * MINUTE)

    assert inbox.record.await_count == 2


async def test_a_stop_waits_for_the_creation_under_way(clock: SetClock) -> None:
    creator = SlowCreator("report.daily")
    store = MemoryTriggerStore(clock=clock)
    trigger = ScheduleTrigger(creator, [DAILY], clock=clock, store=store)
    await trigger.start()
    await clock.advance(MINUTE)
    stopping = asyncio.create_task(trigger.stop())
    await clock.settle()
    assert not stopping.done()
    creator.may_go_on.set()
    await stopping

    assert len(creator.jobs) == 1
    (stored,) = (await store.entries("schedule")).values()
    assert stored.value["reached"] == NINE.isoformat()


async def test_a_stop_does_not_wait_for_the_next_attempt(clock: SetClock) -> None:
    trigger = ScheduleTrigger(OneTypeFails("report.daily"), [DAILY], clock=clock)
    await trigger.start()
    await clock.advance(MINUTE)
    async with asyncio.timeout(1):
        await trigger.stop()

    assert not trigger.is_running


# ---------------------------------------------------------------------------------------------- the override point


class OwnScheduleTrigger(ScheduleTrigger):
    """Creates under a key of its own, and no second job while the first one waits."""

    @override
    async def _create_scheduled_job(self, config: ScheduleConfig) -> None:
        job_id = uuid5(NAMESPACE_DNS, f"{config.job_type}:{config.cron}")
        if await self.job_creator.get_job(job_id) is not None:
            return
        await self.job_creator.create_job(
            job_type=config.job_type,
            payload={**config.payload, "scheduled_run": "now"},
            metadata={"idempotency_key": str(job_id)},
        )


async def test_an_override_is_called_for_each_tick(clock: SetClock) -> None:
    creator = AsyncMock(spec=JobCreator)
    creator.get_job.side_effect = [None, "a job"]
    async with running(OwnScheduleTrigger(creator, [MINUTELY], clock=clock)):
        await clock.advance(2 * MINUTE)

    key = str(uuid5(NAMESPACE_DNS, "health.check:* * * * *"))
    assert creator.get_job.await_count == 2
    assert creator.create_job.await_args_list == [
        call(job_type="health.check", payload={"scheduled_run": "now"}, metadata={"idempotency_key": key})
    ]


async def test_an_override_that_fails_is_tried_again_and_counted(clock: SetClock, creator: RecordingJobCreator) -> None:
    creator.fail_next(RuntimeError("password=hunter2"))
    with capture_logs() as logs:
        async with running(OwnScheduleTrigger(creator, [DAILY], clock=clock)) as trigger:
            await clock.advance(30 + 1)
            health = trigger.get_health()

    assert len(creator.jobs) == 1
    assert (health.errors_count, health.state) == (1, TriggerState.RUNNING)
    assert "hunter2" not in str(logs)


async def test_the_same_error_object_raised_again_is_another_failure(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    trigger = ScheduleTrigger(creator, [DAILY], clock=clock)
    trigger._create_scheduled_job = AsyncMock(side_effect=RuntimeError("again"))  # type: ignore[method-assign] # - as a test of a user may
    async with running(trigger):
        await clock.advance(30 + 2)
        assert trigger._create_scheduled_job.await_count == 2
        assert trigger.get_health().errors_count == 2


class ReturningScheduleTrigger(ScheduleTrigger):
    """Creates by itself, and says what."""

    @override
    async def _create_scheduled_job(self, config: ScheduleConfig) -> Job:
        return await self.job_creator.create_job(
            job_type=config.job_type, payload={}, metadata={"idempotency_key": config.schedule_id}
        )


async def test_a_job_that_an_override_returns_is_counted_told_and_recorded(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    inbox = MemoryEventInbox()
    trigger = ReturningScheduleTrigger(creator, [MINUTELY], clock=clock, inbox=inbox)
    with capture_logs() as logs:
        async with running(trigger):
            await clock.advance(2 * MINUTE)
            health = trigger.get_health()

    assert (health.jobs_created_count, health.duplicates_count) == (1, 1)
    assert health.last_job_created == NINE
    (line,) = [entry for entry in logs if entry["event"] == "job_created_from_schedule"]
    assert (line["job_id"], line["cron"]) == (str(creator.jobs[0].id), "* * * * *")
    assert [event.outcome for event in await inbox.list_events()] == [EventOutcome.DUPLICATE, EventOutcome.ACCEPTED]


async def test_an_override_that_calls_the_inherited_one_is_counted_once(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    class Passing(ScheduleTrigger):
        @override
        async def _create_scheduled_job(self, config: ScheduleConfig) -> Job | None:
            return await super()._create_scheduled_job(config)

    inbox = MemoryEventInbox()
    async with running(Passing(creator, [MINUTELY], clock=clock, inbox=inbox)) as trigger:
        await clock.advance(MINUTE)
        assert trigger.get_health().jobs_created_count == 1

    assert len(await inbox.list_events()) == 1


async def test_called_by_hand_it_creates_a_job_for_the_present_second(
    clock: SetClock, creator: RecordingJobCreator
) -> None:
    trigger = ScheduleTrigger(creator, [DAILY], clock=clock)

    await trigger._create_scheduled_job(DAILY)
    await trigger._create_scheduled_job(DAILY)

    assert ticks_of(creator.jobs) == ["01 08:59:30"]


# ------------------------------------------------------------------------------------------------- configuration


@pytest.mark.parametrize(
    ("arguments", "facts"),
    [
        ({"schedules": [DAILY, replace(MINUTELY, schedule_id="daily")]}, ["'daily'", "report.daily", "health.check"]),
        ({"schedules": [ScheduleConfig(every=1, job_type="a"), ScheduleConfig(every=1.0, job_type="a")]}, ["'a'"]),
        ({"schedules": DAILY}, ["list"]),
        ({"schedules": [{"cron": "* * * * *"}]}, ["ScheduleConfig", "dict"]),
        ({"max_retries": 0}, ["max_retries", "0"]),
        ({"max_retries": 2.5}, ["max_retries", "2.5"]),
        ({"retry_base_delay": -1}, ["retry_base_delay", "-1"]),
        ({"retry_base_delay": float("nan")}, ["retry_base_delay", "nan"]),
        ({"retry_base_delay": "1"}, ["retry_base_delay", "'1'"]),
    ],
)
async def test_a_refusal_names_what_is_wrong(
    creator: RecordingJobCreator, arguments: dict[str, Any], facts: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        ScheduleTrigger(creator, **({"schedules": [DAILY]} | arguments))

    assert [fact for fact in facts if fact not in str(refusal.value)] == []
