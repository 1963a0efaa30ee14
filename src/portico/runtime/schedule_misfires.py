"""Which of the ticks that have come due are created: those on time, and of the missed ones what the schedule wants."""

from collections import deque
from datetime import datetime, timedelta

from portico.runtime.schedule_config import ScheduleConfig
from portico.runtime.schedule_occurrences import Cause, Occurrence, tick_at
from portico.runtime.schedules import Ticks

LATE = timedelta(seconds=60)
"""A tick that is noticed later than this was missed; one that a later tick has followed was missed in any case."""
_SHORTEST_LOOK_BACK = timedelta(seconds=1)


def chosen(schedule: ScheduleConfig, ticks: Ticks, after: datetime, now: datetime) -> list[Occurrence]:
    """Return what to create of the ticks in ``(after, now]``, the oldest first; there is at least one such tick."""
    begin = max(after, now - schedule.catchup_window)
    latest = ticks.latest(begin, now)
    found: list[datetime] = []
    if latest is not None and schedule.misfire == "all":
        found = _last(schedule.max_catchup, ticks, begin, now)
    elif latest is not None and (schedule.misfire == "once" or now - latest <= LATE):
        found = [latest]
    on_time = latest if latest is not None and now - latest <= LATE else None
    return [tick_at(tick, Cause.TICK if tick == on_time else Cause.CATCH_UP) for tick in found]


def _last(count: int, ticks: Ticks, after: datetime, until: datetime) -> list[datetime]:
    """Return the last `count` ticks, looking back twice as far until there are enough: there may be 86,400 a day."""
    back = _SHORTEST_LOOK_BACK
    while True:
        begin = max(after, until - back)
        found = deque(ticks.between(begin, until), maxlen=count)
        if len(found) == count or begin == after:
            return list(found)
        back *= 2
