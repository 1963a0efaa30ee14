"""Which tick of a schedule is due."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from portico.ports.job_creator import JobRequest
from portico.runtime.schedule_config import ScheduleConfig
from portico.runtime.schedule_misfires import LATE, chosen
from portico.runtime.schedule_occurrences import Occurrence, tick_at
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_LOOK_AGAIN = timedelta(seconds=1)
_NEVER_SO_FAR_AHEAD = timedelta(days=1)


class Due(NamedTuple):
    """A tick of a schedule that is to become a job."""

    progress: "ScheduleProgress"
    occurrence: Occurrence

    @property
    def schedule(self) -> ScheduleConfig:
        """The schedule."""
        return self.progress.schedule


class ScheduleProgress:
    """One schedule between the last tick that is done and the next one; there may be 100,000 of these.

    What `take` returns is under way until `finish` or `hold` was called for each of it.
    """

    __slots__ = (
        "_held",
        "_ticks",
        "blocker_id",
        "due_at",
        "has_missed",
        "is_edited",
        "is_gone",
        "is_paused",
        "is_planned",
        "is_unsaved",
        "prepared",
        "reached",
        "schedule",
        "under_way",
        "version",
    )

    def __init__(self, schedule: ScheduleConfig, reached: datetime, version: int = 0) -> None:
        self.schedule = schedule
        self.reached = reached
        """Every tick up to it is done, given up or left out."""
        self.version = version
        """That of the cursor in the store."""
        self.has_missed = False
        """What was taken last is not simply the tick of now."""
        self.is_edited = False
        """The store does not know this timetable yet."""
        self.is_gone = False
        self.is_paused = False
        self.is_planned = False
        self.is_unsaved = False
        self.prepared: tuple[Occurrence, JobRequest] | None = None
        """The request for a tick that is to come."""
        self.under_way = 0
        """How many were taken of which nobody has said yet what became of them."""
        self.blocker_id: UUID | None = None
        """The unfinished job that keeps a tick waiting."""
        self._held: Occurrence | None = None
        self._ticks = schedule.ticks()
        self.due_at = self._ticks.next_after(reached)
        """When to take something; None when there is no further tick."""

    def take(self, now: datetime) -> list[Due]:
        """Return what is due by `now`, the oldest first."""
        due_at = self.due_at
        if due_at is None or due_at > now:
            return []
        taken = [Due(self, self._held)] if self._held is not None else self._take_ticks(due_at, now)
        self.under_way = len(taken)
        return taken

    def upcoming(self) -> Due | None:
        """Return what `take` will return at `due_at`, as far as it can be known before."""
        return None if self.due_at is None else Due(self, self._held or tick_at(self.due_at))

    def finish(self, occurrence: Occurrence, now: datetime) -> None:
        """What was taken is done, or given up."""
        self.under_way -= 1
        reached = occurrence.tick
        if self._held is not None and self._held == occurrence:
            self._held = self.blocker_id = None
            # what came due meanwhile is left out: one tick waits, no more
            reached = max(reached, now)
            self.due_at = self._ticks.next_after(reached)
        self.reached = max(self.reached, reached)

    def hold(self, occurrence: Occurrence, blocker_id: UUID, now: datetime) -> None:
        """The tick waits until the unfinished job has ended; if one waits already, it is left out."""
        self.under_way -= 1
        if self._held is None or self._held == occurrence:
            self._held, self.blocker_id = occurrence, blocker_id
            self.due_at = now + _LOOK_AGAIN

    def rewind(self) -> None:
        """Forget what was taken and is not done; it is due again."""
        self.under_way = 0
        self._held = self.blocker_id = None
        self.due_at = self._ticks.next_after(self.reached)

    def skip_to(self, instant: datetime) -> None:
        """Leave out every tick up to `instant`."""
        self.reached = max(self.reached, instant)
        self._held = self.blocker_id = None
        self.due_at = self._ticks.next_after(self.reached)

    def doubt(self, now: datetime) -> None:
        """Begin at `now` where a clock that was far ahead has moved the schedule into the future."""
        if is_incredible(self.reached, now):
            logger.warning(
                "schedule_cursor_in_the_future",
                schedule_id=self.schedule.schedule_id,
                cursor=self.reached.isoformat(),
            )
            self.reached = now
            self.due_at = self._ticks.next_after(now)

    def _take_ticks(self, first: datetime, now: datetime) -> list[Due]:
        following = self._ticks.next_after(first)
        is_alone = following is None or following > now
        self.has_missed = not is_alone or now - first > LATE
        if not self.has_missed:
            self.due_at = following
            return [Due(self, tick_at(first))]
        self.due_at = self._ticks.next_after(now)
        taken = chosen(self.schedule, self._ticks, self.reached, now)
        if not taken:
            self.reached = now
        return [Due(self, occurrence) for occurrence in taken]


def is_incredible(reached: datetime, now: datetime) -> bool:
    """Tell whether a cursor is so far in the future that a wrong clock must have set it."""
    return reached - now > _NEVER_SO_FAR_AHEAD
