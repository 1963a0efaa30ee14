"""When an expression fires next in a zone, with the rules of Debian's cron for the nights when the clock changes.

A job that follows the wall clock runs whenever the clock shows a time that matches: not in a gap, and in both passes
of a fold. A job at fixed times that fall into a gap runs once, at its end; in a fold it runs in the first pass only.
Changes of more than three hours are taken as they are by both: nothing is made up, nothing is held back.
"""

from datetime import UTC, datetime, timedelta, tzinfo

from portico.runtime.cron.clock_changes import SMALL_CHANGE, change_between, offsets_of
from portico.runtime.cron.spec import CronSpec
from portico.runtime.cron.wall_clock import first_match

_SECOND = timedelta(seconds=1)


def next_after(spec: CronSpec, zone: tzinfo, instant: datetime) -> datetime | None:
    """Return the first tick after the aware `instant`, in UTC; None when there is none in the next 50 years."""
    try:
        if zone is UTC:
            return _next_in_utc(spec, instant)
        return _next_in_zone(spec, zone, instant)
    except OverflowError:
        return None  # beyond the year 9999


def _next_in_utc(spec: CronSpec, instant: datetime) -> datetime | None:
    utc = instant.astimezone(UTC)
    found = first_match(spec, utc.replace(microsecond=0, tzinfo=None) + _SECOND)
    return None if found is None else found.replace(tzinfo=UTC)


def _next_in_zone(spec: CronSpec, zone: tzinfo, instant: datetime) -> datetime | None:
    """Find the next matching wall time; look closer only where it, or the present one, is in a gap or a fold."""
    local = instant.astimezone(zone)
    second = local.replace(microsecond=0, tzinfo=None, fold=0)
    if local.fold == 0 and (again := _tick_of_second_pass(spec, zone, second)) is not None:
        return again
    wall: datetime | None = second + _SECOND
    while (wall := wall and first_match(spec, wall)) is not None:
        before, after = offsets_of(zone, wall)
        if before == after:
            return (wall - before).replace(tzinfo=UTC)
        if before < after:
            change = change_between(zone, wall - after, wall - before)
            if not spec.follows_wall_clock and after - before < SMALL_CHANGE:
                return change.replace(tzinfo=UTC)
            wall = change + after
        else:
            tick, wall = _tick_in_fold(spec, zone, wall, instant)
            if tick is not None:
                return tick
    return None


def _tick_in_fold(
    spec: CronSpec, zone: tzinfo, wall: datetime, instant: datetime
) -> tuple[datetime | None, datetime | None]:
    """Return the tick at a wall time that comes twice; or, when that is over, where to look on."""
    before, after = offsets_of(zone, wall)
    first_pass = (wall - before).replace(tzinfo=UTC)
    if first_pass > instant:
        return first_pass, None
    if _runs_twice(spec, before - after):
        return (wall - after).replace(tzinfo=UTC), None
    return None, change_between(zone, wall - before, wall - after) + before


def _tick_of_second_pass(spec: CronSpec, zone: tzinfo, local: datetime) -> datetime | None:
    """Return the next tick where it is in the second pass of a fold that `local` is in the first pass of."""
    before, after = offsets_of(zone, local)
    if before <= after or not _runs_twice(spec, before - after):
        return None
    change = change_between(zone, local - before, local - after)
    in_first_pass = first_match(spec, local + _SECOND)
    if in_first_pass is not None and in_first_pass < change + before:
        return None
    in_second_pass = first_match(spec, change + after)
    if in_second_pass is None or in_second_pass >= change + before:
        return None
    return (in_second_pass - after).replace(tzinfo=UTC)


def _runs_twice(spec: CronSpec, size: timedelta) -> bool:
    return spec.follows_wall_clock or size > SMALL_CHANGE
