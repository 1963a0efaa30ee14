"""Which slots are taken, and the jobs that wait for one."""

import heapq
import itertools
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from portico.adapters.job_slots import Slot, SlotRules
from portico.adapters.store.memory.entries import Entry, Turn, take_turn, turn_of
from portico.ports.job_limits import JobLimit


class _Count:
    """One slot: how much of it is taken, and who waits for it in which queue."""

    def __init__(self, slot: Slot) -> None:
        self._size = slot.size
        self._window = None if slot.window_seconds is None else timedelta(seconds=slot.window_seconds)
        self._running = 0
        self._starts_count_until: deque[datetime] = deque()
        self.parked: dict[str, list[Turn]] = {}

    def room(self, now: datetime) -> int:
        while self._starts_count_until and self._starts_count_until[0] <= now:
            self._starts_count_until.popleft()
        return self._size - self._running - len(self._starts_count_until)

    def take(self, now: datetime) -> None:
        if self._window is None:
            self._running += 1
            return
        self._starts_count_until.append(now + self._window)

    def give_back(self) -> bool:
        """A run ended; tell whether that made room."""
        if self._window is not None:
            return False
        self._running -= 1
        return True

    def opens_at(self) -> datetime | None:
        """Return when time alone makes room."""
        return self._starts_count_until[0] if self._starts_count_until else None

    def is_idle(self, now: datetime) -> bool:
        return not self.parked and self.room(now) == self._size


class SlotBook:
    """The counts of all slots of a store, and its parked jobs.

    A slot is *open* for a queue from when it may have room for jobs parked there until a claim finds it full, or
    nobody parked.
    """

    def __init__(self, limits: Sequence[JobLimit]) -> None:
        self._rules = SlotRules(limits)
        self._counts: dict[str, _Count] = {}
        self._open: defaultdict[str, set[_Count]] = defaultdict(set)
        self._opening: defaultdict[str, list[tuple[datetime, int, _Count]]] = defaultdict(list)

    def concern(self, queue_name: str) -> bool:
        """Tell whether claims of the queue must ask for slots."""
        return self._rules.concern(queue_name)

    def admit(self, entry: Entry, now: datetime) -> bool:
        """Take all slots of the job that is to run, or park it on the first that is full."""
        counts = self._counts_of(entry)
        full = next((count for count in counts if count.room(now) <= 0), None)
        if full is not None:
            self._park(entry, full)
            return False
        for count in counts:
            count.take(now)
        return True

    def unpark(self, queue_name: str, wanted: int, now: datetime) -> Iterator[Entry]:
        """Yield, for each slot with room, the best of the queue's jobs that wait for it."""
        opening = self._opening[queue_name]
        while opening and opening[0][0] <= now:
            self._open[queue_name].add(heapq.heappop(opening)[2])
        for count in list(self._open[queue_name]):
            yield from self._unpark_from(count, queue_name, wanted, now)

    def unpark_beside(self, entry: Entry, now: datetime) -> Iterator[Entry]:
        """Yield, for each slot that a job might have had that was just parked on another, the next one for it."""
        for count in self._counts_of(entry):
            yield from self._unpark_from(count, entry.queue_name, 1, now)

    def give_back(self, entry: Entry, now: datetime) -> set[str]:
        """The run of the job ended; return the queues with jobs that may run now."""
        ring: set[str] = set()
        for count in [count for count in self._counts_of(entry) if count.give_back()]:
            ring.update(count.parked)
            for queue_name in count.parked:
                self._open[queue_name].add(count)
        for name in [slot.name for slot in entry.slots or () if self._counts[slot.name].is_idle(now)]:
            del self._counts[name]
        return ring

    def due_at(self, queue_name: str) -> datetime | None:
        """Return when time alone makes room for a parked job of the queue."""
        opening = self._opening[queue_name]
        return opening[0][0] if opening else None

    def forget_idle(self, now: datetime) -> None:
        """Drop the counts of starts whose window is over."""
        self._counts = {name: count for name, count in self._counts.items() if not count.is_idle(now)}

    def _counts_of(self, entry: Entry) -> list[_Count]:
        if entry.slots is None:
            entry.slots = self._rules.slots_of(entry.view())
        return [self._counts.get(slot.name) or self._counts.setdefault(slot.name, _Count(slot)) for slot in entry.slots]

    def _park(self, entry: Entry, full: _Count) -> None:
        queue_name = entry.queue_name
        if queue_name not in full.parked:
            self._await_time(full, queue_name)
        heapq.heappush(full.parked.setdefault(queue_name, []), turn_of(entry))

    def _unpark_from(self, count: _Count, queue_name: str, wanted: int, now: datetime) -> Iterator[Entry]:
        room = count.room(now)
        if queue_name in count.parked and room > 0:
            parked = iter(partial(take_turn, count.parked[queue_name]), None)
            yield from itertools.islice(parked, min(room, wanted))
            if not count.parked[queue_name]:
                del count.parked[queue_name]
                self._open[queue_name].discard(count)
            return
        if count in self._open[queue_name]:
            self._open[queue_name].discard(count)
            if queue_name in count.parked:
                self._await_time(count, queue_name)

    def _await_time(self, full: _Count, queue_name: str) -> None:
        if (opens_at := full.opens_at()) is not None:
            heapq.heappush(self._opening[queue_name], (opens_at, id(full), full))
