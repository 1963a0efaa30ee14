"""What about an expression is often meant otherwise."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo

from portico.runtime.cron.clock_changes import SMALL_CHANGE, ClockChange, changes_within
from portico.runtime.cron.fields import DAY, FIELDS, WEEKDAY, Field
from portico.runtime.cron.spec import CronSpec
from portico.runtime.cron.wall_clock import first_match

_OPEN_STEP = re.compile(r"\*/(\d+)", re.ASCII)
_DAYS_AHEAD = 366
_ALL_HOURS = (1 << 24) - 1


def warnings_about(canonical: str, spec: CronSpec, zone: tzinfo, after: datetime) -> list[str]:
    """Return sentences, on clock changes those of the year after `after`; none when there is nothing to say."""
    found = [*_about_days(canonical, spec), *_about_steps(canonical)]
    if zone is not UTC:
        start = after.astimezone(UTC).replace(microsecond=0, tzinfo=None)
        for change in changes_within(zone, start, _DAYS_AHEAD):
            found += _about_change(spec, change)
    return found


def _about_days(canonical: str, spec: CronSpec) -> Iterator[str]:
    day, _, weekday = canonical.split(" ")[-3:]
    if "*" in (day, weekday):
        return
    if spec.meets_both_day_fields:
        yield "day of month and day of week are both given, one with a star: a day must match both"
    else:
        yield "day of month and day of week are both given: a day that matches either of them counts"


def _about_steps(canonical: str) -> Iterator[str]:
    parts = canonical.split(" ")
    for field, part in zip(FIELDS[-len(parts) :], parts, strict=True):
        match = _OPEN_STEP.fullmatch(part)
        if match is not None and (text := _about_step(field, int(match[1]))):
            yield f"{field.name} '{part}': {text}"


def _about_step(field: Field, step: int) -> str:
    size = field.wraps_at - field.lowest + 1
    if step >= size:
        return f"the step is as long as the whole field; only {field.lowest} matches"
    if field in (DAY, WEEKDAY) or size % step:
        return f"it begins anew at {field.lowest}, so that the last step is shorter"
    return ""


def _about_change(spec: CronSpec, change: ClockChange) -> Iterator[str]:
    size = abs(change.after - change.before)
    low, high = sorted((change.wall_before, change.wall_after))
    first = first_match(spec, low)
    if first is None or first >= high or (spec.follows_wall_clock and spec.hours == _ALL_HOURS):
        return
    span = f"on {low.date()} the clock of the zone"
    if change.after > change.before:
        yield f"{span} skips {low:%H:%M} to {high:%H:%M}: {_in_gap(spec, change, is_small=size < SMALL_CHANGE)}"
    else:
        twice = spec.follows_wall_clock or size > SMALL_CHANGE
        yield f"{span} shows {low:%H:%M} to {high:%H:%M} twice: " + (
            "it runs in both passes" if twice else "it runs in the first pass only"
        )


def _in_gap(spec: CronSpec, change: ClockChange, *, is_small: bool) -> str:
    if spec.follows_wall_clock or not is_small:
        return "what falls into that time does not run"
    return f"what falls into that time runs once, at {change.wall_after:%H:%M}"
