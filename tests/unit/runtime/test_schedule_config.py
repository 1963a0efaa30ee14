"""What a schedule is."""

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta
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
