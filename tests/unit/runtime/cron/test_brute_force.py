"""The evaluator against a scan of every minute: random expressions, all zones, mostly around changes of the clock."""

import re
import zoneinfo
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from portico.exceptions import ConfigurationError
from portico.runtime.cron.next_after import next_after
from portico.runtime.cron.parse import canonical_cron, parse
from tests.unit.runtime.cron.brute_force import Job, changes_of, ticks
from tests.unit.runtime.cron.expressions import jobs

# from 1973 on, when the last zone had whole minutes
YEARS = st.integers(1973, 2060)
ZONES = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@st.composite
def starts(draw: st.DrawFn, zone: ZoneInfo, before: timedelta) -> datetime:
    """Return an instant shortly before a change of the clock in that zone, where the drawn year has one."""
    year = draw(YEARS)
    day = draw(st.sampled_from(changes_of(zone, year) or [datetime(year, 7, 1, tzinfo=UTC)]))
    microseconds = draw(st.sampled_from([0, 0, 0, 1, 999_999]))
    seconds = draw(st.integers(0, int((before + timedelta(days=1)).total_seconds())))
    return day - before - timedelta(days=1) + timedelta(seconds=seconds, microseconds=microseconds)


def _evaluated(job: Job, zone: ZoneInfo, after: datetime, until: datetime) -> list[datetime]:
    try:
        spec = parse(canonical_cron(job.expression))
    except ConfigurationError as refusal:
        assume("never fires" not in str(refusal))
        raise
    found = []
    while (tick := next_after(spec, zone, after)) is not None and tick <= until:
        assert tick > after
        found.append(tick)
        after = tick
    return found


def _compare(job: Job, zone: str, start: datetime, length: timedelta, unit: timedelta) -> None:
    place = ZoneInfo(zone)
    expected = list(ticks(job, place, start, start + length, unit))
    event("some ticks" if expected else "no tick")
    assert _evaluated(job, place, start, start + length) == expected


MINUTELY: dict[str, Any] = {"job": jobs(), "zone": st.sampled_from(ZONES), "data": st.data()}
SECONDLY: dict[str, Any] = {"job": jobs(with_seconds=True), "zone": st.sampled_from(ZONES), "data": st.data()}
SLOW: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck), "print_blob": True}


@settings(max_examples=300, **SLOW)
@given(**MINUTELY)
def test_five_fields_fire_as_a_scan_of_every_minute_says(job: Job, zone: str, data: st.DataObject) -> None:
    start = data.draw(starts(ZoneInfo(zone), timedelta(days=1)))
    _compare(job, zone, start, timedelta(days=2), MINUTE)


@settings(max_examples=25, **SLOW)
@given(**SECONDLY)
def test_six_fields_fire_as_a_scan_of_every_second_says(job: Job, zone: str, data: st.DataObject) -> None:
    start = data.draw(starts(ZoneInfo(zone), timedelta(hours=2)))
    _compare(job, zone, start, timedelta(hours=8), SECOND)


@pytest.mark.soak
@settings(max_examples=20_000, **SLOW)
@given(**MINUTELY)
def test_thousands_of_expressions_fire_as_a_scan_of_every_minute_says(job: Job, zone: str, data: st.DataObject) -> None:
    start = data.draw(starts(ZoneInfo(zone), timedelta(days=1)))
    _compare(job, zone, start, timedelta(days=3), MINUTE)


@pytest.mark.soak
@settings(max_examples=1_000, **SLOW)
@given(**SECONDLY)
def test_a_thousand_expressions_with_seconds_fire_as_a_scan_says(job: Job, zone: str, data: st.DataObject) -> None:
    start = data.draw(starts(ZoneInfo(zone), timedelta(hours=2)))
    _compare(job, zone, start, timedelta(hours=12), SECOND)


@settings(max_examples=200, **SLOW)
@given(job=jobs(), start=st.datetimes(datetime(2000, 1, 1), datetime(2050, 1, 1)))  # noqa: DTZ001 - made aware below
def test_cronsim_agrees_where_no_clock_is_changed(job: Job, start: datetime) -> None:
    after = start.replace(tzinfo=UTC)
    assume(not re.search(r"\b(\d+)-\1/", job.expression))  # which it reads as n/step
    try:
        theirs = list(islice(CronSim(job.expression, after), 5))
    except CronSimError:
        theirs = []  # nW, Ln
    assume(theirs)
    spec = parse(canonical_cron(job.expression))
    ours: list[datetime | None] = []
    instant: datetime | None = after
    while instant is not None and len(ours) < len(theirs):
        instant = next_after(spec, UTC, instant)
        ours.append(instant)
    assert ours == theirs


FIXED = Job(
    expression="15,45 0-3 * * *",
    minutes=frozenset({15, 45}),
    hours=frozenset({0, 1, 2, 3}),
    months=frozenset(range(1, 13)),
    is_day=lambda wall: True,
    is_wildcard=False,
)
WILDCARD = replace(FIXED, expression="*/20 0-3 * * *", minutes=frozenset({0, 20, 40}), is_wildcard=True)


@pytest.mark.parametrize("job", [FIXED, WILDCARD], ids=["fixed", "wildcard"])
def test_every_zone_keeps_the_rules_when_its_clock_changes(job: Job) -> None:
    assert {zone for zone in ZONES if not _agrees_in(ZoneInfo(zone), job)} == set()


def _agrees_in(place: ZoneInfo, job: Job) -> bool:
    changes = [change for year in (2018, 2026) for change in changes_of(place, year)]
    return all(_agrees_at(change, place, job) for change in changes[:2])


def _agrees_at(change: datetime, place: ZoneInfo, job: Job) -> bool:
    start, until = change - timedelta(hours=30), change + timedelta(hours=6)
    # everything here is a multiple of five minutes
    return _evaluated(job, place, start, until) == list(ticks(job, place, start, until, 5 * MINUTE))
