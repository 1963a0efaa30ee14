"""All schedules of a trigger, by the time at which there is something to do."""

import heapq
from collections.abc import Iterator
from datetime import datetime

from portico.runtime.schedule_progress import ScheduleProgress

_Place = tuple[datetime, int]
_COMPACTED_FROM = 1_000


class ScheduleAgenda:
    """Schedules by time and priority, the earliest first, and of one time the highest priority first.

    Thousands are due at one time: they share a place, and the heap holds places.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, ScheduleProgress] = {}
        self._places: list[_Place] = []
        self._planned: dict[_Place, list[ScheduleProgress]] = {}
        self._due: list[ScheduleProgress] = []
        self._dropped = 0

    def __iter__(self) -> Iterator[ScheduleProgress]:
        return iter(self._by_id.values())

    def get(self, schedule_id: str) -> ScheduleProgress | None:
        """Return the schedule's progress, or None."""
        return self._by_id.get(schedule_id)

    def put(self, progress: ScheduleProgress) -> None:
        """Add a schedule; one with its id gives way to it."""
        self.drop(progress.schedule.schedule_id)
        self._by_id[progress.schedule.schedule_id] = progress
        self.plan(progress)

    def drop(self, schedule_id: str) -> None:
        """Forget a schedule; what is under way of it goes on."""
        progress = self._by_id.pop(schedule_id, None)
        if progress is not None:
            progress.is_gone = True
            self._dropped += 1
            if self._dropped > max(_COMPACTED_FROM, len(self._by_id)):
                self._plan_all()

    def plan(self, progress: ScheduleProgress) -> None:
        """Put it in its place, unless it has one, or has nothing to do for now."""
        if progress.is_planned or progress.under_way or progress.is_gone or progress.is_paused:
            return
        if progress.due_at is None:
            return
        progress.is_planned = True
        place = (progress.due_at, -progress.schedule.priority)
        if (others := self._planned.get(place)) is not None:
            others.append(progress)
            return
        self._planned[place] = [progress]
        heapq.heappush(self._places, place)

    def rewind(self) -> None:
        """Let everything that is under way be due again; whoever was at it is gone."""
        for progress in self:
            if progress.under_way:
                progress.rewind()
            self.plan(progress)

    def doubt(self, now: datetime) -> None:
        """Bring back what a clock that was far ahead has moved into the future."""
        for progress in self:
            progress.doubt(now)
        self._plan_all()

    def take_due(self, now: datetime) -> Iterator[ScheduleProgress]:
        """Take out, one after the other, what has something to do by `now`.

        One with ticks under way is planned again when they have ended.
        """
        while self._due or self.is_due(now):
            if not self._due:
                self._due = self._planned.pop(heapq.heappop(self._places))
                self._due.reverse()
            progress = self._due.pop()
            progress.is_planned = False
            if not progress.is_gone and not progress.is_paused and not progress.under_way:
                yield progress

    def next_up(self, at_most: int) -> list[ScheduleProgress]:
        """Return those that are taken next, all of one time."""
        return self._planned[self._places[0]][:at_most] if self._places else []

    def is_due(self, now: datetime) -> bool:
        """Tell whether there may be something to do."""
        return bool(self._due) or (bool(self._places) and self._places[0][0] <= now)

    def seconds_until_due(self, now: datetime, at_most: float) -> float:
        """Return how long there is nothing to do."""
        if self.is_due(now):
            return 0.0
        if not self._places:
            return at_most
        return min(at_most, (self._places[0][0] - now).total_seconds())

    def _plan_all(self) -> None:
        # the dead are taken out as their time comes; many far-off ones would stay
        self._dropped = 0
        self._places.clear()
        self._planned.clear()
        self._due.clear()
        for progress in self:
            progress.is_planned = False
            self.plan(progress)
