"""Ticks of the past that somebody wants to have."""

from datetime import datetime, timedelta
from itertools import islice

from portico.exceptions import ConfigurationError
from portico.runtime.schedule_checks import checked_instant, checked_zone
from portico.runtime.schedule_config import ScheduleConfig


def past_ticks(
    schedule: ScheduleConfig, start: datetime, end: datetime | None, *, now: datetime, limit: int
) -> list[datetime]:
    """Return the ticks in ``[start, end)``; naive times are on the wall clock of the schedule.

    Raises:
        ConfigurationError: there are more than `limit`, or the range does not end in the past.

    """
    zone = checked_zone(schedule.timezone)
    first, last = checked_instant("start", start, zone), checked_instant("end", end, zone) or now
    if first is None or not first < last <= now:
        raise ConfigurationError(f"a range to fill goes from start to a later end in the past, not {start} to {end}")
    # an instant, not a second, below both ends: ticks may have fractions
    ticks = schedule.ticks().between(first - timedelta.resolution, last - timedelta.resolution)
    found = list(islice(ticks, limit + 1))
    if len(found) > limit:
        raise ConfigurationError(
            f"schedule '{schedule.schedule_id}' has more than {limit} ticks from {start} to {end}: "
            "give a shorter range or a larger limit"
        )
    return found
