"""The next time on a clock without a zone that an expression matches."""

from datetime import MAXYEAR, datetime

from portico.runtime.cron.spec import CronSpec

_SEARCHED_YEARS = 50
"""Beyond the rarest date there is: a 29 February on a given weekday, across a century without a leap year."""


def first_match(spec: CronSpec, wall: datetime) -> datetime | None:
    """Return the first matching wall time at or after `wall`, to the second; None when there is none in 50 years."""
    day_bit = spec.days_in(wall.year, wall.month) >> wall.day & 1
    if day_bit and spec.months >> wall.month & 1:
        time = _time_from(spec, wall.hour, wall.minute, wall.second)
        if time is not None:
            return datetime(wall.year, wall.month, wall.day, *time)  # noqa: DTZ001 - a wall clock has no zone
    day = _day_after(spec, wall)
    if day is None:
        return None
    first_time = (_lowest(spec.hours), _lowest(spec.minutes), _lowest(spec.seconds))
    return datetime(*day, *first_time)  # noqa: DTZ001 - a wall clock has no zone


def _time_from(spec: CronSpec, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
    if spec.hours >> hour & 1:
        if spec.minutes >> minute & 1 and (later := spec.seconds >> second):
            return hour, minute, second + _lowest(later)
        if later := spec.minutes >> minute + 1:
            return hour, minute + 1 + _lowest(later), _lowest(spec.seconds)
    if later := spec.hours >> hour + 1:
        return hour + 1 + _lowest(later), _lowest(spec.minutes), _lowest(spec.seconds)
    return None


def _day_after(spec: CronSpec, wall: datetime) -> tuple[int, int, int] | None:
    year, month, day = wall.year, wall.month, wall.day
    last_year = min(year + _SEARCHED_YEARS, MAXYEAR)
    while year <= last_year:
        if spec.months >> month & 1 and (later := spec.days_in(year, month) >> day + 1):
            return year, month, day + 1 + _lowest(later)
        day = 0
        later = spec.months >> month + 1
        year, month = (year, month + 1 + _lowest(later)) if later else (year + 1, _lowest(spec.months))
    return None


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1
