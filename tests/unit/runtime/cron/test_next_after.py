"""When an expression fires."""

from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portico.runtime.cron.next_after import next_after
from portico.runtime.cron.parse import canonical_cron, parse

NEW_YORK = ZoneInfo("America/New_York")
ZONES = ["UTC", "America/New_York", "Europe/Paris", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo"]


def _after(expression: str, zone: tzinfo, instant: datetime) -> datetime | None:
    return next_after(parse(canonical_cron(expression)), zone, instant)


def _local(expression: str, start: datetime, count: int) -> list[str]:
    ticks: list[str] = []
    instant: datetime | None = start
    while instant is not None and len(ticks) < count:
        instant = _after(expression, NEW_YORK, instant)
        if instant is not None:
            ticks.append(instant.astimezone(NEW_YORK).strftime("%m-%d %H:%M %Z"))
    return ticks


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 9 * * *", "2030-01-01T09:00:00+00:00"),
        ("*/5 * * * *", "2030-01-01T00:05:00+00:00"),
        ("0 2 * * 0", "2030-01-06T02:00:00+00:00"),
        ("0 2 * * 7", "2030-01-06T02:00:00+00:00"),
        ("0 0 * mar MON-FRI", "2030-03-01T00:00:00+00:00"),
        ("0 0 13 * 5", "2030-01-04T00:00:00+00:00"),
        ("0 0 29 2 *", "2032-02-29T00:00:00+00:00"),
        ("30 0 0 * * *", "2030-01-01T00:00:30+00:00"),
        ("0 0 L * *", "2030-01-31T00:00:00+00:00"),
        ("7-7/2 * * * *", "2030-01-01T00:07:00+00:00"),
    ],
)
def test_the_next_tick_is_the_first_that_matches(expression: str, expected: str) -> None:
    tick = _after(expression, UTC, datetime(2030, 1, 1, tzinfo=UTC))

    assert tick is not None
    assert tick.isoformat() == expected


def test_one_value_with_a_step_is_that_value() -> None:
    first = datetime(2030, 1, 1, tzinfo=UTC)

    tick = _after("7-7/2 * * * *", UTC, first + timedelta(minutes=7))

    assert tick == first + timedelta(minutes=67)


def test_a_tick_is_never_the_instant_it_is_asked_after() -> None:
    nine = datetime(2030, 1, 1, 9, tzinfo=UTC)

    assert _after("0 9 * * *", UTC, nine - timedelta(microseconds=1)) == nine
    assert _after("0 9 * * *", UTC, nine) == nine + timedelta(days=1)


def test_a_daily_job_in_the_hour_that_is_left_out_runs_at_its_end() -> None:
    ticks = _local("30 2 * * *", datetime(2026, 3, 7, 12, tzinfo=UTC), 2)

    assert ticks == ["03-08 03:00 EDT", "03-09 02:30 EDT"]


def test_a_daily_job_in_the_hour_that_repeats_runs_once() -> None:
    ticks = _local("30 1 * * *", datetime(2026, 10, 31, 12, tzinfo=UTC), 2)

    assert ticks == ["11-01 01:30 EDT", "11-02 01:30 EST"]


def test_an_hourly_job_runs_in_both_passes_of_the_hour_that_repeats() -> None:
    ticks = _local("0 * * * *", datetime(2026, 11, 1, 4, 30, tzinfo=UTC), 3)

    assert ticks == ["11-01 01:00 EDT", "11-01 01:00 EST", "11-01 02:00 EST"]


def test_a_search_begun_in_the_second_pass_does_not_go_back_to_the_first() -> None:
    second_pass = datetime(2026, 11, 1, 1, 10, fold=1, tzinfo=NEW_YORK).astimezone(UTC)

    tick = _after("30 1 * * *", NEW_YORK, second_pass)

    assert tick == datetime(2026, 11, 2, 6, 30, tzinfo=UTC)


def test_the_end_of_the_calendar_ends_the_ticks() -> None:
    assert _after("0 0 1 1 *", UTC, datetime(9999, 12, 31, tzinfo=UTC)) is None
    assert _after("0 0 1 1 *", ZoneInfo("Asia/Tokyo"), datetime.max.replace(tzinfo=UTC)) is None


def _field(lowest: int, highest: int) -> st.SearchStrategy[str]:
    number = st.integers(lowest, highest)
    spans = st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}")
    steps = st.integers(1, highest).map(lambda step: f"*/{step}")
    return st.one_of(st.just("*"), number.map(str), spans, steps)


EXPRESSIONS = st.tuples(_field(0, 59), _field(0, 23), _field(1, 28), _field(1, 12), _field(0, 7)).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(
    expression=EXPRESSIONS,
    zone=st.sampled_from(ZONES),
    start=st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001 - made aware below
)
def test_ticks_strictly_increase_from_where_they_are_asked_after(expression: str, zone: str, start: datetime) -> None:
    instants: list[datetime | None] = [start.replace(tzinfo=UTC)]
    for _ in range(5):
        if (last := instants[-1]) is not None:
            instants.append(_after(expression, ZoneInfo(zone), last))

    for earlier, later in pairwise(instants):
        assert earlier is not None
        if later is not None:
            assert later.tzinfo is UTC
            assert later > earlier
