"""All schedules of a trigger, by the time at which there is something to do."""

import heapq
from collections.abc import Iterator
from datetime import datetime
from itertools import count

from portico.runtime.schedule_progress import ScheduleProgress

_Entry = tuple[datetime, int, ScheduleProgress]
_COMPACTED_FROM = 1_000
_ENTRIES = 2**48
"""More than there will ever be."""


class ScheduleAgenda:
    """A heap, the earliest first, and of one time the highest priority first."""

    def __init__(self) -> None:
        self._by_id: dict[str, ScheduleProgress] = {}
        self._heap: list[_Entry] = []
        self._order = count()

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
            self._compact()

    def plan(self, progress: ScheduleProgress) -> None:
        """Put it in its place, unless it has one, or has nothing to do."""
        if progress.is_planned or progress.is_gone or progress.is_paused or progress.due_at is None:
            return
        progress.is_planned = True
        # one number, so that no two entries are alike and an entry stays small
        order = next(self._order) - progress.schedule.priority * _ENTRIES
        heapq.heappush(self._heap, (progress.due_at, order, progress))

    def rewind(self) -> None:
        """Let everything that is under way be due again; whoever was at it is gone."""
        self._heap.clear()
        for progress in self:
            progress.rewind()
            progress.is_planned = False
            self.plan(progress)

    def doubt(self, now: datetime) -> None:
        """Bring back what a clock that was far ahead has moved into the future."""
        for progress in self:
            progress.doubt(now)
        self._heap.clear()
        for progress in self:
            progress.is_planned = False
            if not progress.is_busy:
                self.plan(progress)

    def pop_due(self, now: datetime) -> ScheduleProgress | None:
        """Take out the first that has something to do by `now`; one that is busy is planned again when it has ended."""
        while self._heap and self._heap[0][0] <= now:
            progress = heapq.heappop(self._heap)[-1]
            progress.is_planned = False
            if not progress.is_gone and not progress.is_paused and not progress.is_busy:
                return progress
        return None

    def is_due(self, now: datetime) -> bool:
        """Tell whether there may be something to do."""
        return bool(self._heap) and self._heap[0][0] <= now

    def seconds_until_due(self, now: datetime, at_most: float) -> float:
        """Return how long there is nothing to do."""
        if not self._heap:
            return at_most
        return min(at_most, max(0.0, (self._heap[0][0] - now).total_seconds()))

    def _compact(self) -> None:
        # the dead are taken out one by one as their time comes; many far-off ones would stay
        if len(self._heap) < max(_COMPACTED_FROM, 2 * len(self._by_id)):
            return
        self._heap = [entry for entry in self._heap if not entry[-1].is_gone]
        heapq.heapify(self._heap)
