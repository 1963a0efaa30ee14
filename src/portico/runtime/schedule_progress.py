"""Which tick of a schedule is due."""

from datetime import datetime, timedelta

from portico.runtime.schedule_config import ScheduleConfig
from portico.utils.logging import get_logger

logger = get_logger(__name__)

CATCH_UP_WINDOW = timedelta(days=1)
"""Ticks missed for longer are given up; a failing tick is tried for as long."""


class ScheduleProgress:
    """One schedule between the last tick that is done and the next one.

    Of several ticks that came due (the process was down, the machine slept, a creation took long) the latest is taken,
    once. One tick is under way at a time.
    """

    def __init__(self, schedule: ScheduleConfig, reached: datetime) -> None:
        self.schedule = schedule
        self.timing = schedule.timing()
        self.is_busy = False
        self._ticks = schedule.ticks()
        self._reached = reached
        self._upcoming = self._ticks.next_after(reached)

    def rewind(self) -> None:
        """Forget a tick that was taken and is not done; it is due again."""
        self.is_busy = False
        self._upcoming = self._ticks.next_after(self._reached)

    def take(self, now: datetime) -> datetime | None:
        """Return the latest tick due by `now`, to be created and told to `finish`; None when none is due."""
        if self._reached - now > CATCH_UP_WINDOW:
            self._distrust_cursor(now)
        if self._upcoming is None or self._upcoming > now:
            return None
        missed, self._upcoming = self._upcoming, self._ticks.next_after(now)
        tick = self._ticks.latest(max(self._reached, now - CATCH_UP_WINDOW), now)
        if tick != missed:
            logger.warning(
                "scheduled_ticks_missed",
                schedule_id=self.schedule.schedule_id,
                job_type=self.schedule.job_type,
                first_missed=missed.isoformat(),
                taken=tick and tick.isoformat(),
            )
        if tick is None:
            self._reached = now
        self.is_busy = tick is not None
        return tick

    def finish(self, tick: datetime) -> None:
        """The tick is done, or given up."""
        self._reached = max(self._reached, tick)
        self.is_busy = False

    def seconds_until_due(self, now: datetime, at_most: float) -> float:
        """Return how long nothing is due; `at_most` while a tick is under way whose end cannot be foreseen."""
        if self._upcoming is None or self._upcoming <= now:
            return at_most
        return min(at_most, (self._upcoming - now).total_seconds())

    def _distrust_cursor(self, now: datetime) -> None:
        # the clock was far ahead once; without this the schedule would stay silent until that time has come
        logger.warning(
            "schedule_cursor_in_the_future", schedule_id=self.schedule.schedule_id, cursor=self._reached.isoformat()
        )
        self._reached = now
        self.rewind()
