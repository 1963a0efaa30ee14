"""An expression in words, from what it means and not from how it is written."""

from collections.abc import Sequence
from itertools import pairwise

from portico.runtime.cron.spec import LAST, CronSpec

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", LAST: "last"}
_LISTED_TIMES = 4
_SHORTEST_PATTERN = 3


def describe(spec: CronSpec) -> str:
    """Return for example ``at 09:00, on Monday to Friday, in January``."""
    parts = (_times(spec), _days(spec), _months(spec))
    return ", ".join(part for part in parts if part)


def _times(spec: CronSpec) -> str:
    hours, minutes, seconds = _values(spec.hours), _values(spec.minutes), _values(spec.seconds)
    if len(hours) * len(minutes) * len(seconds) <= _LISTED_TIMES:
        shown = [_clock(hour, minute, second) for hour in hours for minute in minutes for second in seconds]
        return f"at {_listed(shown)}"
    parts = []
    if seconds != [0]:
        parts.append(_pattern(seconds, "second", range(60)))
    if len(minutes) < len(range(60)) or seconds == [0]:
        parts.append(_pattern(minutes, "minute", range(60)))
    if len(hours) < len(range(24)):
        parts.append(_pattern(hours, "hour", range(24)))
    if len(parts) == 1 and not parts[0].startswith("every"):
        return f"{parts[0]} of every {'hour' if seconds == [0] else 'minute'}"
    return ", ".join(parts)


def _clock(hour: int, minute: int, second: int) -> str:
    return f"{hour:02}:{minute:02}:{second:02}" if second else f"{hour:02}:{minute:02}"


def _pattern(values: Sequence[int], unit: str, whole: range) -> str:
    if len(values) == len(whole):
        return f"every {unit}"
    first, last = values[0], values[-1]
    if _is_stepped(values):
        step = values[1] - values[0]
        every = f"every {step} {unit}s" if step > 1 else f"every {unit}"
        if first == whole.start and last + step > whole[-1]:
            return every
        return f"{every} from {first} to {last}"
    return f"at {unit} {_listed(values)}"


def _is_stepped(values: Sequence[int]) -> bool:
    return len(values) >= _SHORTEST_PATTERN and len({later - earlier for earlier, later in pairwise(values)}) == 1


def _days(spec: CronSpec) -> str:
    days, weekdays = _days_of_month(spec), _days_of_week(spec)
    if days and weekdays:
        return f"on {days}{' if it is ' if spec.meets_both_day_fields else ' or on '}{weekdays}"
    return f"on {days or weekdays}" if days or weekdays else ""


def _days_of_month(spec: CronSpec) -> str:
    days = _values(spec.days)
    if len(days) == len(range(1, 32)):
        return ""
    parts = []
    if _is_stepped(days) and days[1] - days[0] > 1:
        parts.append(f"{_pattern(days, 'day', range(1, 32))} of the month")
    elif days:
        parts.append(f"day {_spans([str(day) for day in range(32)], days)} of the month")
    if spec.last_day:
        parts.append("the last day of the month")
    if spec.last_workday:
        parts.append("the last working day of the month")
    parts += [f"the working day nearest to day {day} of the month" for day in spec.nearest_workdays]
    return _listed(parts)


def _days_of_week(spec: CronSpec) -> str:
    weekdays = _values(spec.weekdays)
    if len(weekdays) == len(_WEEKDAYS):
        return ""
    # a week begins on Monday here, so that a weekend is one span
    parts = _span_texts((*_WEEKDAYS, "Sunday"), sorted(day or 7 for day in weekdays))
    parts += [f"the {_ORDINALS[nth]} {_WEEKDAYS[weekday]} of the month" for weekday, nth in spec.nth_weekdays]
    return _listed(parts)


def _months(spec: CronSpec) -> str:
    months = _values(spec.months)
    return "" if len(months) == len(_MONTHS) else f"in {_spans(('', *_MONTHS), months)}"


def _spans(names: Sequence[str], values: Sequence[int]) -> str:
    return _listed(_span_texts(names, values))


def _span_texts(names: Sequence[str], values: Sequence[int]) -> list[str]:
    """Return the names of the values; three and more in a row are a span."""
    rows: list[list[int]] = []
    for value in values:
        if rows and value == rows[-1][-1] + 1:
            rows[-1].append(value)
        else:
            rows.append([value])
    parts: list[str] = []
    for row in rows:
        if len(row) >= _SHORTEST_PATTERN:
            parts.append(f"{names[row[0]]} to {names[row[-1]]}")
        else:
            parts += [names[value] for value in row]
    return parts


def _listed(items: Sequence[object]) -> str:
    texts = [str(item) for item in items]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}" if texts else ""


def _values(mask: int) -> list[int]:
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]
