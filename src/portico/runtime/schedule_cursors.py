"""How far each schedule has come, kept in the trigger store and shared by its replicas."""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice

from portico.ports.clock import Clock
from portico.ports.trigger_store import StoredValue, TriggerStore
from portico.runtime.schedule_config import ScheduleConfig
from portico.runtime.schedule_progress import ScheduleProgress, is_incredible

_SAVED_TOGETHER = 100


class ScheduleCursors:
    """One cursor a schedule: every tick up to it is done; it only grows, whoever moves it.

    A cursor that lags behind costs nothing but a question after a crash: the jobs of its ticks are there, and their
    keys answer. So those of many schedules may be saved later and more rarely than they move.
    """

    def __init__(self, store: TriggerStore, trigger: str, clock: Clock) -> None:
        self._store = store
        self._trigger = trigger
        self._clock = clock
        self._unsaved: deque[ScheduleProgress] = deque()

    async def load(self) -> Mapping[str, StoredValue]:
        """Return all stored cursors, for `begin`."""
        return await self._store.entries(self._trigger)

    async def load_one(self, schedule_id: str) -> Mapping[str, StoredValue]:
        """Return the stored cursor of one schedule, for `begin`."""
        stored = await self._store.get(self._trigger, _key(schedule_id))
        return {} if stored is None else {_key(schedule_id): stored}

    def begin(self, schedule: ScheduleConfig, loaded: Mapping[str, StoredValue], now: datetime) -> ScheduleProgress:
        """Return the progress from the cursor on; a schedule that is new, or was edited, begins at `now`."""
        stored = loaded.get(_key(schedule.schedule_id))
        if stored is None:
            return self._begin_anew(schedule, now, 0)
        progress = ScheduleProgress(schedule, _reached(stored), stored.version)
        progress.doubt(now)
        if stored.value["timing"] == schedule.timing() and progress.reached == _reached(stored):
            return progress
        return self._begin_anew(schedule, max(now, progress.reached), stored.version)

    def _begin_anew(self, schedule: ScheduleConfig, now: datetime, version: int) -> ScheduleProgress:
        progress = ScheduleProgress(schedule, now, version)
        progress.is_edited = True
        self.save_later(progress)
        return progress

    def save_later(self, progress: ScheduleProgress) -> None:
        """Note that the cursor has moved."""
        if not progress.is_unsaved:
            progress.is_unsaved = True
            self._unsaved.append(progress)

    @property
    def has_unsaved(self) -> bool:
        """Whether a cursor has moved that is not saved."""
        return bool(self._unsaved)

    async def save_some(self, at_most: int) -> None:
        """Save cursors that have moved, those first that have waited longest."""
        for _ in range(-(-at_most // _SAVED_TOGETHER)):
            batch = [self._unsaved.popleft() for _ in range(min(_SAVED_TOGETHER, len(self._unsaved)))]
            if not batch:
                return
            await self._save_together(batch)

    async def save_all(self) -> None:
        """Save every cursor that has moved so far."""
        await self.save_some(len(self._unsaved))

    async def save(self, progress: ScheduleProgress) -> None:
        """Move the cursor to where the schedule is, unless a replica has moved it as far."""
        key, reached, timing = _key(progress.schedule.schedule_id), progress.reached, progress.schedule.timing()
        while True:
            value = {"reached": reached.isoformat(), "timing": timing}
            version = await self._store.compare_and_set(self._trigger, key, value, expected_version=progress.version)
            if version is not None:
                progress.version, progress.is_edited = version, False
                return
            stored = await self._store.get(self._trigger, key)
            progress.version = 0 if stored is None else stored.version
            if stored is None or is_incredible(_reached(stored), self._clock.now()):
                continue
            if progress.is_edited:
                reached = max(reached, _reached(stored))
            elif _reached(stored) >= reached:
                return
            else:
                # a replica with the older configuration does not undo the newer one's mark
                timing = stored.value["timing"]

    async def forget(self, schedule_ids: Iterable[str]) -> None:
        """Delete cursors."""
        await self._store.delete_many(self._trigger, frozenset(map(_key, schedule_ids)))

    async def _save_together(self, batch: list[ScheduleProgress]) -> None:
        for progress in batch:
            progress.is_unsaved = False
        answers = await asyncio.gather(*map(self.save, batch), return_exceptions=True)
        failed = [(progress, answer) for progress, answer in zip(batch, answers, strict=True) if answer is not None]
        for progress, _ in failed:
            self.save_later(progress)
        for _, error in islice(failed, 1):
            raise error


def _key(schedule_id: str) -> str:
    return f"schedule:{schedule_id}"


def _reached(stored: StoredValue) -> datetime:
    return datetime.fromisoformat(stored.value["reached"])
