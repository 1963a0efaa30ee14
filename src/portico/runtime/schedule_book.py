"""The schedules of a trigger as they are now: those of the code, and what was changed about them at run time."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from portico.exceptions import ConflictError, ResourceNotFoundError
from portico.ports.clock import Clock
from portico.ports.trigger_store import StoredValue, TriggerStore
from portico.runtime.schedule_agenda import ScheduleAgenda
from portico.runtime.schedule_changes import Pause, ScheduleChanges
from portico.runtime.schedule_config import ScheduleConfig
from portico.runtime.schedule_cursors import ScheduleCursors
from portico.runtime.schedule_progress import ScheduleProgress

_PLACED_AT_ONCE = 500
_SAVED_AT_ONCE = 1_000


class ScheduleBook:
    """Keeps the agenda in step with the trigger store; every change is stored first."""

    def __init__(self, store: TriggerStore, trigger: str, in_code: Sequence[ScheduleConfig], clock: Clock) -> None:
        self._in_code = in_code
        self._clock = clock
        self._following = asyncio.Lock()
        self._given: dict[str, ScheduleConfig | None] = {}
        self._changes = ScheduleChanges(store, trigger)
        self.cursors = ScheduleCursors(store, trigger, clock)
        self.agenda = ScheduleAgenda()

    @property
    def schedules(self) -> tuple[ScheduleConfig, ...]:
        """In the order of the code, then those added at run time."""
        known = {progress.schedule.schedule_id: progress.schedule for progress in self.agenda}
        first = [known.pop(each.schedule_id) for each in self._in_code if each.schedule_id in known]
        return (*first, *known.values())

    @property
    def pause_reasons(self) -> Mapping[str, str]:
        """The paused schedules."""
        ids = [progress.schedule.schedule_id for progress in self.agenda if progress.is_paused]
        return {schedule_id: self._changes.pause_of(schedule_id).reason for schedule_id in ids}

    def require(self, schedule_id: str) -> ScheduleConfig:
        """Return the schedule.

        Raises:
            ResourceNotFoundError: there is none with that id.

        """
        progress = self.agenda.get(schedule_id)
        if progress is None:
            raise ResourceNotFoundError(f"there is no schedule '{schedule_id}'", details={"schedule_id": schedule_id})
        return progress.schedule

    async def load(self, now: datetime) -> None:
        """Fill the agenda; schedules that are new begin at `now`."""
        await self._changes.refresh()
        loaded = await self.cursors.load()
        changed = self._changes.changed_ids
        self._given = dict.fromkeys(changed)
        self._given |= {each.schedule_id: each for each in self._in_code if each.schedule_id in changed}
        for number, schedule in enumerate(self._in_code):
            if schedule.schedule_id not in changed:
                self._place(schedule, loaded, now)
            if not number % _PLACED_AT_ONCE:
                await asyncio.sleep(0)
        for schedule_id in sorted(changed):
            self._place(self._effective(schedule_id), loaded, now)
        # the cursors of very many new schedules follow while they run already
        await self.cursors.save_some(_SAVED_AT_ONCE)

    async def refresh(self) -> bool:
        """Take over what was changed since, here or by another replica; tell whether there was something."""
        changed = await self._changes.refresh()
        await self._follow_all(sorted(changed))
        return bool(changed)

    async def add(self, schedule: ScheduleConfig) -> None:
        """Add a schedule, which begins now."""
        schedule_id = schedule.schedule_id
        if self.agenda.get(schedule_id) is not None:
            raise ConflictError(
                f"there is a schedule '{schedule_id}' already; edit it", details={"schedule_id": schedule_id}
            )
        # an earlier one of that name may have left its cursor
        await self._changes.pause(schedule_id, Pause(skip_until=self._clock.now()))
        await self._define(schedule_id, schedule)

    async def edit(self, schedule: ScheduleConfig) -> None:
        """Put the schedule in the place of the one with its id."""
        self.require(schedule.schedule_id)
        await self._define(schedule.schedule_id, schedule)

    async def remove(self, schedule_id: str) -> None:
        """Remove a schedule, also one that is in the code."""
        self.require(schedule_id)
        await self._define(schedule_id, None)
        await self.cursors.forget([schedule_id])

    async def set_pause(self, schedule_id: str, pause: Pause) -> None:
        """Pause a schedule, or let it go on."""
        self.require(schedule_id)
        await self._changes.pause(schedule_id, pause)
        await self._follow_all([schedule_id])

    async def _define(self, schedule_id: str, schedule: ScheduleConfig | None) -> None:
        await self._changes.define(schedule_id, schedule, self._in_code_of(schedule_id))
        await self._follow_all([schedule_id])

    async def _follow_all(self, schedule_ids: Iterable[str]) -> None:
        async with self._following:
            for schedule_id in schedule_ids:
                await self._follow(schedule_id)

    async def _follow(self, schedule_id: str) -> None:
        progress = self.agenda.get(schedule_id)
        schedule = self._effective(schedule_id)
        if schedule is None:
            self.agenda.drop(schedule_id)
        elif progress is None or progress.schedule != schedule:
            self._place(schedule, await self.cursors.load_one(schedule_id), self._clock.now())
            await self.cursors.save_some(_SAVED_AT_ONCE)
        else:
            self._follow_pause(progress)
            self.agenda.plan(progress)

    def _place(self, schedule: ScheduleConfig | None, loaded: Mapping[str, StoredValue], now: datetime) -> None:
        if schedule is not None:
            progress = self.cursors.begin(schedule, loaded, now)
            self._follow_pause(progress)
            self.agenda.put(progress)

    def _follow_pause(self, progress: ScheduleProgress) -> None:
        pause = self._changes.pause_of(progress.schedule.schedule_id)
        progress.is_paused = pause.is_paused
        if pause.skip_until is not None and pause.skip_until > progress.reached:
            progress.skip_to(pause.skip_until)

    def _effective(self, schedule_id: str) -> ScheduleConfig | None:
        return self._changes.effective(schedule_id, self._in_code_of(schedule_id))

    def _in_code_of(self, schedule_id: str) -> ScheduleConfig | None:
        # remembered for the few that were changed; for 100,000 it would be another 10 MB
        if schedule_id not in self._given:
            self._given[schedule_id] = next((each for each in self._in_code if each.schedule_id == schedule_id), None)
        return self._given[schedule_id]
