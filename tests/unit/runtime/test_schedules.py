"""The arithmetic of ticks."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from portico.exceptions import ConfigurationError
from portico.runtime.schedules import IntervalTicks, Ticks, cron_ticks, epoch_text, interval_ticks

START = datetime(2030, 1, 1, tzinfo=UTC)


def test_an_interval_counts_from_the_epoch() -> None:
    ticks = interval_ticks(7)

    tick = ticks.next_after(START)

    assert tick is not None
    assert tick.timestamp() % 7 == 0
    assert START < tick <= START + timedelta(seconds=7)


def test_fractions_of_a_second_do_not_drift() -> None:
    ticks = interval_ticks(0.1)
    instant = START
    for _ in range(1_000):
        following = ticks.next_after(instant)
        assert following is not None
        instant = following

    assert instant == START + timedelta(seconds=100)


@pytest.mark.parametrize("every", [0, -1, 0.0001, float("nan"), float("inf"), 1e300, 10**400, True, "10", None])
def test_an_interval_that_is_none_is_refused(every: float) -> None:
    with pytest.raises(ConfigurationError, match="every"):
        interval_ticks(every)


def _ticks_between(ticks: Ticks, after: datetime, until: datetime) -> list[datetime]:
    found = []
    while (tick := ticks.next_after(after)) is not None and tick <= until:
        found.append(tick)
        after = tick
    return found


@settings(max_examples=100, deadline=None)
@given(
    ticks=st.sampled_from(
        [cron_ticks("*/7 3,4 * * *", UTC), cron_ticks("0 0 * * 1", UTC), interval_ticks(600), interval_ticks(5_000)]
    ),
    offset=st.integers(0, 10 * 86_400),
    length=st.integers(0, 2 * 86_400),
)
def test_the_latest_tick_is_the_last_of_all(ticks: Ticks, offset: int, length: int) -> None:
    after = START + timedelta(seconds=offset)
    until = after + timedelta(seconds=length)

    expected = _ticks_between(ticks, after, until)

    assert ticks.latest(after, until) == (expected[-1] if expected else None)


class _Counting(IntervalTicks):
    asked = 0

    @override
    def next_after(self, instant: datetime) -> datetime | None:
        type(self).asked += 1
        return super().next_after(instant)


def test_a_day_of_missed_seconds_is_not_counted_one_by_one() -> None:
    ticks = _Counting(timedelta(seconds=1))

    assert ticks.latest(START, START + timedelta(days=1)) == START + timedelta(days=1)
    assert ticks.asked < 100


@pytest.mark.parametrize(
    ("tick", "text"),
    [
        (START, "1893456000"),
        (START + timedelta(microseconds=250_000), "1893456000.25"),
        (datetime(1970, 1, 1, tzinfo=UTC), "0"),
    ],
)
def test_a_tick_has_one_name(tick: datetime, text: str) -> None:
    assert epoch_text(tick) == text
