"""What an expression means, as bit masks: bit n is set when the value n matches."""

from calendar import monthrange
from dataclasses import dataclass

LAST = -1
"""The occurrence of a weekday that is its last in a month."""
_WEEKS = 1 | 1 << 7 | 1 << 14 | 1 << 21 | 1 << 28 | 1 << 35
_SUNDAY = 0
_SATURDAY = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class CronSpec:
    """One expression, parsed; hashable and without state, so that everybody may share it."""

    seconds: int
    minutes: int
    hours: int
    days: int
    """Bits 1 to 31."""
    months: int
    """Bits 1 to 12."""
    weekdays: int
    """Bits 0 (Sunday) to 6."""
    last_day: bool = False
    """`L`"""
    last_workday: bool = False
    """`LW`"""
    nearest_workdays: tuple[int, ...] = ()
    """The n of each `nW`."""
    nth_weekdays: tuple[tuple[int, int], ...] = ()
    """Weekday and occurrence of each `d#n` and `dL`."""
    meets_both_day_fields: bool
    """A day field starts with ``*``: a day must match both; otherwise either is enough."""
    follows_wall_clock: bool
    """The minute or the hour starts with ``*``: run in every minute that shows on the clock, and in no other."""

    def days_in(self, year: int, month: int) -> int:
        """Return the mask of the days that match in this month."""
        weekday_of_first, length = monthrange(year, month)
        first = (weekday_of_first + 1) % 7
        whole_month = (1 << length + 1) - 2
        days = self.days | self._special_days(first, length)
        # one week turned so that bit 0 is the first of the month, then repeated
        week = (self.weekdays >> first | self.weekdays << 7 - first) & 0x7F
        weekdays = week * _WEEKS << 1 | self._special_weekdays(first, length)
        return (days & weekdays if self.meets_both_day_fields else days | weekdays) & whole_month

    def _special_days(self, first: int, length: int) -> int:
        days = 1 << length if self.last_day else 0
        if self.last_workday:
            days |= 1 << _workday_near(length, first, length)
        for day in self.nearest_workdays:
            if day <= length:
                days |= 1 << _workday_near(day, first, length)
        return days

    def _special_weekdays(self, first: int, length: int) -> int:
        days = 0
        for weekday, occurrence in self.nth_weekdays:
            earliest = 1 + (weekday - first) % 7
            if occurrence == LAST:
                days |= 1 << earliest + (length - earliest) // 7 * 7
            else:
                days |= 1 << earliest + 7 * (occurrence - 1)
        return days


def _workday_near(day: int, first: int, length: int) -> int:
    """Return the day from Monday to Friday that is nearest, in the same month."""
    weekday = (first + day - 1) % 7
    if weekday == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == _SUNDAY:
        return day + 1 if day < length else day - 2
    return day
