"""Debian's cron as a loop over every minute: slow, simple, and written without a look at the evaluator."""

from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

LONGEST_HANDLED_MINUTES = 180


@dataclass(frozen=True, kw_only=True)
class Job:
    """An expression and, made beside it, what it means: sets of values, and a rule for days."""

    expression: str
    seconds: frozenset[int] = frozenset({0})
    minutes: frozenset[int]
    hours: frozenset[int]
    months: frozenset[int]
    is_day: Callable[[datetime], bool] = field(repr=False)
    is_wildcard: bool

    def matches(self, wall: datetime) -> bool:
        return (
            wall.second in self.seconds
            and wall.minute in self.minutes
            and wall.hour in self.hours
            and wall.month in self.months
            and self.is_day(wall)
        )


def ticks(job: Job, zone: ZoneInfo, after: datetime, until: datetime, unit: timedelta) -> Iterator[datetime]:
    """Yield the ticks in ``(after, until]`` as a daemon that looks at the clock once in each `unit` starts the job.

    It knows what it has run up to (`caught_up`). A clock that moved on by more than one step, and by no more than three
    hours, makes it run the fixed-time jobs of the steps in between, together. One that moved back by no more than
    three hours makes it run wildcard jobs only until it has caught up. Any other change it takes as it is.
    """
    longest = LONGEST_HANDLED_MINUTES * timedelta(minutes=1) // unit
    start = after - timedelta(hours=5)
    start -= timedelta(microseconds=start.microsecond, seconds=start.second % unit.total_seconds())
    caught_up = _step(start, zone, unit)
    for number in range(1, (until - start) // unit + 1):
        instant = start + number * unit
        showing = _step(instant, zone, unit)
        moved = showing - caught_up
        if moved == 1 or moved > longest or moved <= -longest:
            fires = job.matches(_wall(showing, unit))
            caught_up = showing
        elif moved > 1:
            steps = [showing] if job.is_wildcard else range(caught_up + 1, showing + 1)
            fires = any(job.matches(_wall(step, unit)) for step in steps)
            caught_up = showing
        else:
            fires = job.is_wildcard and job.matches(_wall(showing, unit))
        if fires and instant > after:
            yield instant


def nth_weekday(wall: datetime, weekday: int, occurrence: int) -> bool:
    return cron_weekday(wall) == weekday and (wall.day + 6) // 7 == occurrence


def last_weekday(wall: datetime, weekday: int) -> bool:
    return cron_weekday(wall) == weekday and wall.day + 7 > month_length(wall)


def nearest_workday(wall: datetime, day: int) -> bool:
    """Tell whether `wall` is the working day of its month that is nearest to `day`; of two, the one before counts."""
    if day > month_length(wall):
        return False
    workdays = [
        number for number in range(1, month_length(wall) + 1) if cron_weekday(wall.replace(day=number)) not in (0, 6)
    ]
    return wall.day == min(workdays, key=lambda number: (abs(number - day), number))


def cron_weekday(wall: datetime) -> int:
    return wall.isoweekday() % 7


def month_length(wall: datetime) -> int:
    return monthrange(wall.year, wall.month)[1]


_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock has no zone


def _step(instant: datetime, zone: ZoneInfo, unit: timedelta) -> int:
    return (instant.astimezone(zone).replace(tzinfo=None) - _EPOCH) // unit


def _wall(step: int, unit: timedelta) -> datetime:
    return _EPOCH + step * unit


def changes_of(zone: ZoneInfo, year: int) -> list[datetime]:
    """Return the days of a year at whose beginning the offset differs from the day before."""
    days = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(367)]
    offsets = [day.astimezone(zone).utcoffset() for day in days]
    return [day for day, before, now in zip(days[1:], offsets, offsets[1:], strict=False) if before != now]
