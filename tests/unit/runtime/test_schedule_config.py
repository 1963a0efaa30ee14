"""What a schedule is."""

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portico.exceptions import ConfigurationError
from portico.runtime.schedule_config import ScheduleConfig

START = datetime(2030, 1, 1, tzinfo=UTC)


def _daily(**changes: Any) -> ScheduleConfig:
    return ScheduleConfig(**{"cron": "0 9 * * *", "job_type": "report.daily", "payload": {"a": 1}} | changes)


def test_values_may_be_given_by_position() -> None:
    schedule = ScheduleConfig("0 9 * * *", "report.daily", {"a": 1}, "reports", 5, "Europe/Paris")

    assert schedule == _daily(queue_name="reports", priority=5, timezone="Europe/Paris")


def test_what_is_left_out_has_a_default() -> None:
    schedule = ScheduleConfig(every=10, job_type="health.check")

    assert (schedule.payload, schedule.queue_name, schedule.priority, schedule.timezone) == ({}, "default", 0, "UTC")


def test_a_schedule_does_not_change() -> None:
    payload = {"a": [1]}
    schedule: Any = _daily(payload=payload)
    payload["a"].append(2)

    assert schedule.payload == {"a": [1]}
    with pytest.raises(FrozenInstanceError):
        schedule.priority = 7


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"cron": "61 9 * * *"}, ["cron '61 9 * * *'", "minute", "'61'"]),
        ({"cron": None}, ["cron", "every"]),
        ({"every": 10}, ["cron", "every"]),
        ({"cron": None, "every": 0}, ["every", "0"]),
        ({"cron": None, "every": float("nan")}, ["every", "nan"]),
        ({"cron": 5}, ["cron", "5"]),
        ({"timezone": "Mars/Phobos"}, ["timezone", "Mars/Phobos", "Europe/Paris"]),
        ({"timezone": ""}, ["timezone", "''"]),
        ({"timezone": "/etc/passwd"}, ["timezone", "/etc/passwd"]),
        ({"timezone": "Europe"}, ["timezone", "'Europe'"]),
        ({"timezone": None}, ["timezone", "None"]),
        ({"payload": {"items": [{"price": float("nan")}]}}, ["payload.items[0].price", "NaN"]),
        ({"payload": {"when": START}}, ["payload.when", "datetime"]),
        ({"payload": [1]}, ["payload", "list"]),
        ({"job_type": ""}, ["job_type"]),
        ({"queue_name": " "}, ["queue_name"]),
        ({"priority": "high"}, ["priority", "'high'"]),
        ({"priority": True}, ["priority", "True"]),
        ({"schedule_id": " "}, ["schedule_id"]),
        ({"schedule_id": "x" * 256}, ["schedule_id", "255"]),
        ({"at": START}, ["cron", "every", "at"]),
        ({"cron": None, "at": "2030-01-01"}, ["at", "'2030-01-01'", "datetime"]),
        ({"start_at": date(2030, 1, 1)}, ["start_at", "datetime"]),
        ({"start_at": START, "end_at": START}, ["start_at", "end_at"]),
        ({"exclude": [START]}, ["exclude", "date(2030, 12, 25)"]),
        ({"exclude": "2030-12-25"}, ["exclude", "'2030-12-25'"]),
        ({"misfire": "twice"}, ["misfire", "'once'", "'skip'", "'all'", "'twice'"]),
        ({"overlap": None}, ["overlap", "'queue_one'", "None"]),
        ({"catchup_window": 60}, ["catchup_window", "timedelta", "60"]),
        ({"catchup_window": timedelta(days=-1)}, ["catchup_window", "-1 day"]),
        ({"jitter": timedelta(days=400)}, ["jitter", "366"]),
        ({"max_catchup": 0}, ["max_catchup", "0"]),
        ({"max_catchup": True}, ["max_catchup", "True"]),
        ({"cron": "0 0 H(30-31) 2 *"}, ["never fires"]),
    ],
)
def test_a_refusal_names_field_and_value(changes: dict[str, Any], facts: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        _daily(**changes)

    assert [fact for fact in facts if fact not in str(refusal.value)] == []


def test_equal_schedules_have_the_same_id_however_they_are_written() -> None:
    assert _daily().schedule_id == _daily(cron="0  9 * * *").schedule_id
    assert _daily(cron="0 9 * * mon").schedule_id == _daily(cron="0 9 * * MON").schedule_id
    assert ScheduleConfig(every=10, job_type="a").schedule_id == ScheduleConfig(every=10.0, job_type="a").schedule_id


def test_the_id_is_the_same_in_every_process() -> None:
    assert _daily().schedule_id == "733f81ef182f6bbb"


@pytest.mark.parametrize(
    "changes",
    [
        {"cron": "0 10 * * *"},
        {"job_type": "report.weekly"},
        {"payload": {"a": 2}},
        {"queue_name": "reports"},
        {"priority": 1},
        {"timezone": "Europe/Paris"},
    ],
)
def test_another_schedule_has_another_id(changes: dict[str, Any]) -> None:
    assert _daily(**changes).schedule_id != _daily().schedule_id
    assert replace(_daily(), **changes).schedule_id == _daily(**changes).schedule_id


def test_an_id_that_was_given_stays() -> None:
    assert replace(_daily(schedule_id="daily"), priority=9).schedule_id == "daily"


def test_policies_are_no_part_of_the_id() -> None:
    changed = _daily(misfire="all", overlap="skip", jitter=timedelta(seconds=5), catchup_window=timedelta(hours=1))

    assert changed.schedule_id == _daily().schedule_id


@pytest.mark.parametrize(
    "changes", [{"start_at": START}, {"end_at": START}, {"exclude": [date(2030, 12, 25)]}, {"cron": "@daily"}]
)
def test_other_times_are_another_timetable(changes: dict[str, Any]) -> None:
    assert _daily(**changes).timing() != _daily().timing()
    assert _daily(**changes).schedule_id != _daily().schedule_id


def test_a_hashed_value_is_decided_by_the_id() -> None:
    one, two = (_daily(cron="H H * * *", schedule_id=name) for name in ("one", "two"))

    assert one.next_runs(3, after=START) == _daily(cron="h h * * *", schedule_id="one").next_runs(3, after=START)
    assert one.next_runs(3, after=START) != two.next_runs(3, after=START)


def test_a_hashed_value_of_a_derived_id_stays_when_it_is_derived_again() -> None:
    schedule = _daily(cron="H H * * *")

    assert replace(schedule, misfire="all").next_runs(1, after=START) == schedule.next_runs(1, after=START)


# -------------------------------------------------------------------------------------------- at, limits, exclusions


def _texts(schedule: ScheduleConfig, count: int) -> list[str]:
    return [run.isoformat() for run in schedule.next_runs(count, after=START)]


def test_a_schedule_may_fire_once_at_a_time() -> None:
    schedule = ScheduleConfig(at=START + timedelta(hours=1), job_type="a")

    assert schedule.next_runs(3, after=START) == [START + timedelta(hours=1)]
    assert schedule.next_runs(3, after=START + timedelta(hours=1)) == []


def test_naive_times_are_on_the_wall_clock_of_the_zone() -> None:
    nine = datetime(2030, 6, 1, 9)  # noqa: DTZ001 - the point
    schedule = ScheduleConfig(at=nine, job_type="a", timezone="Europe/Paris")

    assert _texts(schedule, 1) == ["2030-06-01T09:00:00+02:00"]
    assert schedule.when == "at 2030-06-01T09:00:00+02:00"


def test_a_naive_time_that_the_clock_skips_is_the_end_of_the_gap() -> None:
    skipped = datetime(2026, 3, 8, 2, 30)  # noqa: DTZ001 - the point
    schedule = ScheduleConfig(at=skipped, job_type="a", timezone="America/New_York")

    assert schedule.at == datetime(2026, 3, 8, 7, tzinfo=UTC)


def test_ticks_are_within_start_and_end() -> None:
    schedule = _daily(start_at=START + timedelta(days=1, hours=9), end_at=START + timedelta(days=3, hours=9))

    assert _texts(schedule, 9) == ["2030-01-02T09:00:00+00:00", "2030-01-03T09:00:00+00:00"]


def test_an_interval_counts_from_its_start() -> None:
    schedule = ScheduleConfig(every=3_600, job_type="a", start_at=START + timedelta(minutes=7))

    assert _texts(schedule, 2) == ["2030-01-01T00:07:00+00:00", "2030-01-01T01:07:00+00:00"]


def test_excluded_days_of_the_zone_have_no_ticks() -> None:
    schedule = _daily(
        cron="0 */12 * * *", timezone="Asia/Tokyo", exclude=[date(2030, 1, 2), date(2030, 1, 3), date(2030, 1, 2)]
    )

    assert _texts(schedule, 2) == ["2030-01-01T12:00:00+09:00", "2030-01-04T00:00:00+09:00"]


def test_a_whole_excluded_year_of_seconds_is_passed_over_in_no_time() -> None:
    days = [date(2030, 1, 1) + timedelta(days=number) for number in range(365)]
    schedule = ScheduleConfig(every=1, job_type="a", exclude=days)

    assert _texts(schedule, 1) == ["2031-01-01T00:00:00+00:00"]


# -------------------------------------------------------------------------------------------------------- in words


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "at 09:00 (UTC)"),
        ({"cron": "*/5 * * * *", "timezone": "Europe/Paris"}, "every 5 minutes (Europe/Paris)"),
        ({"cron": "30 4 1,15 * 5"}, "at 04:30, on day 1 and 15 of the month or on Friday (UTC)"),
        (
            {"cron": "0 9-17/2 LW * *"},
            "at minute 0, every 2 hours from 9 to 17, on the last working day of the month (UTC)",
        ),
        ({"cron": "0 0 L 1-3,12 *"}, "at 00:00, on the last day of the month, in January to March and December (UTC)"),
        ({"cron": "0 0 * * 6,7,MON#2"}, "at 00:00, on Saturday, Sunday and the second Monday of the month (UTC)"),
        (
            {"cron": "0 0 15W * */3"},
            "at 00:00, on the working day nearest to day 15 of the month if it is Wednesday, Saturday and Sunday (UTC)",
        ),
        ({"cron": "*/10 * 9 * * *"}, "every 10 seconds, at hour 9 (UTC)"),
        ({"cron": "5,10 * * * * *"}, "at second 5 and 10 of every minute (UTC)"),
        ({"cron": "10-59/7 * * * *"}, "every 7 minutes from 10 to 59 (UTC)"),
        ({"cron": "0 0 */2 * *"}, "at 00:00, on every 2 days of the month (UTC)"),
        ({"cron": None, "every": 90}, "every 90 s"),
        ({"cron": None, "every": 90, "end_at": START}, "every 90 s, until 2030-01-01T00:00:00+00:00"),
        ({"exclude": [date(2030, 12, 25)]}, "at 09:00 (UTC), not on 2030-12-25"),
    ],
)
def test_a_schedule_is_said_in_words(changes: dict[str, Any], text: str) -> None:
    assert _daily(**changes).describe(START - timedelta(days=1)).text == text


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"cron": "0 0 13 * 5"}, ["either of them"]),
        ({"cron": "0 0 */2 * 5"}, ["must match both", "begins anew"]),
        ({"cron": "*/7 * * * *"}, ["minute '*/7'", "begins anew"]),
        ({"cron": "*/90 * * * *"}, ["minute '*/90'", "only 0"]),
        (
            {"cron": "30 2 * * *", "timezone": "America/New_York"},
            ["2030-03-10", "skips 02:00 to 03:00", "once, at 03:00"],
        ),
        ({"cron": "*/30 2 * * *", "timezone": "America/New_York"}, ["2030-03-10", "does not run"]),
        (
            {"cron": "30 1 * * *", "timezone": "America/New_York"},
            ["2030-11-03", "01:00 to 02:00 twice", "first pass only"],
        ),
        ({"cron": "*/30 1 * * *", "timezone": "America/New_York"}, ["2030-11-03", "both passes"]),
        ({"end_at": START}, ["does not fire"]),
    ],
)
def test_what_is_often_meant_otherwise_is_warned_about(changes: dict[str, Any], facts: list[str]) -> None:
    description = _daily(**changes).describe(START)

    assert [fact for fact in facts if fact not in " ".join(description.warnings)] == []
    assert f"warning: {description.warnings[0]}" in str(description)


@pytest.mark.parametrize(
    "changes",
    [
        {"timezone": "America/New_York"},
        {"cron": "0 * * * *", "timezone": "America/New_York"},
        {"cron": "*/15 9-17 * * 1-5", "timezone": "Europe/Paris"},
        {"cron": None, "every": 10},
    ],
)
def test_what_is_plain_is_not_warned_about(changes: dict[str, Any]) -> None:
    assert _daily(**changes).describe(START).warnings == ()


def test_next_runs_are_in_the_zone_of_the_schedule() -> None:
    runs = _daily(timezone="Europe/Paris").next_runs(2, after=START)

    assert [run.isoformat() for run in runs] == ["2030-01-01T09:00:00+01:00", "2030-01-02T09:00:00+01:00"]


def test_next_runs_begin_now_unless_told_otherwise() -> None:
    (run,) = ScheduleConfig(every=3_600, job_type="a").next_runs(1)

    assert timedelta(0) < run - datetime.now(UTC) <= timedelta(hours=1)


def test_a_naive_time_is_the_systems_local_one() -> None:
    naive = datetime(2030, 1, 1)  # noqa: DTZ001 - the point

    assert _daily().next_runs(1, after=naive) == _daily().next_runs(1, after=naive.astimezone())


@settings(max_examples=100, deadline=None)
@given(
    time=st.sampled_from(["0 9 * * *", "*/5 * * * *", "0 2 * * 0", "30 2 * * *", "*/10 * * * * *", 10, 0.5, 86_400]),
    zone=st.sampled_from(["UTC", "America/New_York", "Europe/Paris", "Australia/Lord_Howe"]),
    start=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001 - made aware below
)
def test_next_runs_are_aware_and_strictly_increase_after_the_start(
    time: str | float, zone: str, start: datetime
) -> None:
    when: dict[str, Any] = {"cron": time} if isinstance(time, str) else {"every": time}
    after = start.replace(tzinfo=UTC)

    runs = ScheduleConfig(**when, job_type="a", timezone=zone).next_runs(5, after=after)

    assert len(runs) == 5
    assert {str(run.tzinfo) for run in runs} == {zone}
    # as instants: in one zone, datetimes are compared by the wall clock
    instants = [after, *(run.astimezone(UTC) for run in runs)]
    assert all(earlier < later for earlier, later in pairwise(instants))
