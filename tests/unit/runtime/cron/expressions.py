"""Random expressions, each with its meaning beside it."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from hypothesis import strategies as st

from tests.unit.runtime.cron.brute_force import (
    Job,
    cron_weekday,
    last_weekday,
    month_length,
    nearest_workday,
    nth_weekday,
)

Field = tuple[str, frozenset[int]]
DayRule = Callable[[datetime], bool]
NAMES = ["SUN", "mon", "Tue", "WED", "thu", "FRI", "Sat"]


def _values(lowest: int, highest: int, *, open_steps: bool = True) -> st.SearchStrategy[Field]:
    """Return items that are values, ranges and steps."""
    number = st.integers(lowest, highest)
    step = st.integers(1, highest + 3)
    return st.one_of(
        number.map(lambda n: (str(n), frozenset({n}))),
        st.tuples(number, number).map(lambda ends: _span(min(ends), max(ends), 1)),
        st.tuples(number, number, step).map(lambda it: _span(min(it[:2]), max(it[:2]), it[2])),
        *[st.tuples(number, step).map(lambda it: (f"{it[0]}/{it[1]}", frozenset(range(it[0], highest + 1, it[1]))))]
        * open_steps,
    )


def _span(low: int, high: int, step: int) -> Field:
    return f"{low}-{high}" + (f"/{step}" if step > 1 else ""), frozenset(range(low, high + 1, step))


def _stars(lowest: int, highest: int) -> st.SearchStrategy[Field]:
    steps = st.integers(1, highest + 3)
    return st.one_of(
        st.just(("*", frozenset(range(lowest, highest + 1)))),
        steps.map(lambda step: (f"*/{step}", frozenset(range(lowest, highest + 1, step)))),
    )


def _field(lowest: int, highest: int, *, of_stars: int = 1) -> st.SearchStrategy[Field]:
    return st.one_of(*[_stars(lowest, highest)] * of_stars, _lists(lowest, highest))


def _lists(lowest: int, highest: int, *, open_steps: bool = True) -> st.SearchStrategy[Field]:
    return st.lists(_values(lowest, highest, open_steps=open_steps), min_size=1, max_size=3).map(_joined)


def _joined(items: list[Field]) -> Field:
    return ",".join(text for text, _ in items), frozenset().union(*(values for _, values in items))


# values of the night, when clocks are changed, more often than not
HOURS = st.one_of(_lists(0, 4, open_steps=False), _field(0, 23, of_stars=2))
DAYS_OF_MONTH: st.SearchStrategy[tuple[str, DayRule]] = st.one_of(
    st.just(("*", lambda wall: True)),
    st.just(("*", lambda wall: True)),
    _field(1, 31, of_stars=3).map(lambda it: (it[0], partial(lambda values, wall: wall.day in values, it[1]))),
    st.just(("L", lambda wall: wall.day == month_length(wall))),
    st.just(("LW", lambda wall: nearest_workday(wall, month_length(wall)))),
    st.integers(1, 31).map(lambda day: (f"{day}W", partial(nearest_workday, day=day))),
    st.integers(1, 31).map(
        lambda day: (f"{day},L", partial(lambda number, wall: wall.day in (number, month_length(wall)), day))
    ),
)
WEEKDAYS: st.SearchStrategy[tuple[str, DayRule]] = st.one_of(
    st.just(("*", lambda wall: True)),
    st.just(("*", lambda wall: True)),
    _field(0, 7, of_stars=3).map(
        lambda it: (it[0], partial(lambda values, wall: cron_weekday(wall) in values, {n % 7 for n in it[1]}))
    ),
    st.integers(0, 6).map(lambda day: (NAMES[day], partial(lambda number, wall: cron_weekday(wall) == number, day))),
    st.tuples(st.integers(0, 7), st.integers(1, 5)).map(
        lambda it: (f"{it[0]}#{it[1]}", partial(nth_weekday, weekday=it[0] % 7, occurrence=it[1]))
    ),
    st.integers(0, 7).map(lambda day: (f"{day}L", partial(last_weekday, weekday=day % 7))),
    st.integers(0, 6).map(lambda day: (f"l{NAMES[day]}", partial(last_weekday, weekday=day))),
)


def _is_day(days: tuple[str, DayRule], weekdays: tuple[str, DayRule]) -> DayRule:
    meet = all if "*" in (days[0][0], weekdays[0][0]) else any
    return lambda wall: meet((days[1](wall), weekdays[1](wall)))


@st.composite
def jobs(draw: st.DrawFn, *, with_seconds: bool = False) -> Job:
    """Return a job; `brute_force.ticks` says when it runs."""
    second = draw(_field(0, 59)) if with_seconds else ("", frozenset({0}))
    minute, month = draw(_field(0, 59, of_stars=2)), draw(_field(1, 12, of_stars=4))
    hour = draw(HOURS)
    days, weekdays = draw(DAYS_OF_MONTH), draw(WEEKDAYS)
    return Job(
        expression=" ".join(filter(None, [second[0], minute[0], hour[0], days[0], month[0], weekdays[0]])),
        seconds=second[1],
        minutes=minute[1],
        hours=hour[1],
        months=month[1],
        is_day=_is_day(days, weekdays),
        is_wildcard=minute[0].startswith("*") or hour[0].startswith("*"),
    )
