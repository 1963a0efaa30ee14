"""When the ticks of all schedules are created: one heap, one timer, any number of replicas."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any

from typing_extensions import override

from portico.exceptions import ConflictError, PorticoError
from portico.ports.job import Job
from portico.ports.job_creator import JobCreator
from portico.runtime.alarm import Alarm
from portico.runtime.schedule_book import ScheduleBook
from portico.runtime.schedule_clock import ClockGuard
from portico.runtime.schedule_config import ScheduleConfig
from portico.runtime.schedule_progress import Due, ScheduleProgress, is_incredible
from portico.runtime.scheduled_jobs import CREATIONS_AT_ONCE, ScheduledJobs
from portico.runtime.service import StoppingError, describe
from portico.utils.logging import get_logger

logger = get_logger(__name__)

CREATED_TOGETHER = 100
_BATCHES_AT_ONCE = 4
"""Some that the store writes in one go while others are made; with more the event loop stands still longer."""
_NOTED_TOGETHER = 10
"""Batches: so many may wait to be noted while others are due."""
_LONGEST_SLEEP_SECONDS = 1.0
"""The wall clock may be set, and monotonic clocks stop while the machine sleeps: look again this often."""
_UPKEEP_SECONDS = 1.0
_SAVED_AT_LEAST = 500
"""Cursors a second; more only while nothing is about to be due."""
_PREPARED = 1_000
"""Requests that are made ahead of their tick: a few milliseconds' work, and as much sooner there are jobs."""
_PREPARING_SECONDS = 0.01
"""At a time: payloads may be large."""
_QUIET_SECONDS = 0.2
_QUIET_LOOKS = 5
_NAMED_AT_MOST = 10


class ScheduleLoop(ScheduledJobs):
    """The half of the schedule trigger that knows when; `ScheduledJobs` is the half that creates."""

    def __init__(self, job_creator: JobCreator, in_code: Sequence[ScheduleConfig], **options: Any) -> None:
        super().__init__(job_creator, **options)
        self._in_code = in_code
        self._is_clock_trusted = True
        self._wakes_at = self._latest_now = self._clock.now()

    @override
    def _settings(self) -> dict[str, Any]:
        return {"schedules": len(self._in_code)}

    @override
    async def _open(self, stack: AsyncExitStack) -> None:
        await super()._open(stack)
        self._alarm = Alarm(self._clock)
        self._guard = ClockGuard(self.store, self._clock)
        self._book = ScheduleBook(self.store, self._name, self._in_code, self._clock)
        is_trusted = await self._guard.is_trusted()
        # a new schedule must not begin in the future of a clock that is wrong
        await self._book.load(self._clock.now() - (timedelta(0) if is_trusted else self._guard.skew))
        stack.push_async_callback(self._save_quietly)
        self._supervise(stack, "upkeep", self._upkeep_forever)
        self._supervise(stack, "ticks", self._tick_forever)

    async def _upkeep_forever(self) -> None:
        while True:
            await self._clock.sleep(_UPKEEP_SECONDS)
            try:
                if await self._book.refresh():
                    self._alarm.ring()
            except PorticoError as error:
                logger.warning("schedule_changes_not_read", trigger=self._name, error=describe(error))
            await self._wait_for_quiet()
            await self._save_quietly(_SAVED_AT_LEAST)
            while self._book.cursors.has_unsaved and self._is_quiet():
                if not await self._save_quietly(_SAVED_AT_LEAST):
                    break
            self._prepare_next()
            self._progressed("upkeep")

    def _prepare_next(self) -> None:
        if not self._creates_together:
            return
        end = self._clock.monotonic() + _PREPARING_SECONDS
        for progress in self._book.agenda.next_up(_PREPARED):
            if self._clock.monotonic() > end:
                return
            if progress.prepared is None and (upcoming := progress.upcoming()) is not None:
                self._requests.prepare(upcoming)

    async def _wait_for_quiet(self) -> None:
        for _ in range(_QUIET_LOOKS):
            if self._is_quiet():
                return
            await self._clock.sleep(_QUIET_SECONDS)

    def _is_quiet(self) -> bool:
        if self._work_under_way:
            return False
        wait = self._book.agenda.seconds_until_due(self._clock.now(), _LONGEST_SLEEP_SECONDS)
        return wait >= _QUIET_SECONDS

    async def _save_quietly(self, at_most: int | None = None) -> bool:
        cursors = self._book.cursors
        try:
            await (cursors.save_all() if at_most is None else cursors.save_some(at_most))
        except Exception as error:  # noqa: BLE001 - the jobs are there; no store's error may bring their ticks again
            # later then; until that, a restart meets the keys
            logger.warning("schedule_cursors_not_saved", trigger=self._name, error=describe(error))
            return False
        return True

    async def _tick_forever(self) -> None:
        self._slots = asyncio.Semaphore(_BATCHES_AT_ONCE if self._creates_together else CREATIONS_AT_ONCE)
        self._book.agenda.rewind()
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    if await self._may_fire():
                        self._notice_a_clock_set_back()
                        await self._begin_due(group)
                    self._progressed("ticks")
                    self._note_created()
                    await self._rest()
        finally:
            self._note_created()

    async def _rest(self) -> None:
        now = self._clock.now()
        seconds = _LONGEST_SLEEP_SECONDS
        if self._is_clock_trusted:
            seconds = self._book.agenda.seconds_until_due(now, _LONGEST_SLEEP_SECONDS)
        self._wakes_at = now + timedelta(seconds=seconds)
        self._nothing_is_due.set()
        await self._alarm.wait(seconds)
        self._nothing_is_due.clear()

    async def _may_fire(self) -> bool:
        was_trusted, self._is_clock_trusted = self._is_clock_trusted, await self._guard.is_trusted()
        if was_trusted and not self._is_clock_trusted:
            error = ConflictError(
                f"the clocks of this host and of the store are {self._guard.skew.total_seconds():.0f} s apart: "
                "no schedule fires until they agree"
            )
            self._failed(error)
            logger.error("schedule_clock_distrusted", trigger=self._name, error=str(error))
            await self._alert(f"Schedules do not fire: {self._name}", str(error))
        if self._is_clock_trusted and not was_trusted:
            self._recovered()
            logger.info("schedule_clock_trusted", trigger=self._name)
        return self._is_clock_trusted

    def _notice_a_clock_set_back(self) -> None:
        now = self._clock.now()
        if is_incredible(self._latest_now, now):
            self._book.agenda.doubt(now)
        self._latest_now = now

    async def _begin_due(self, group: asyncio.TaskGroup) -> None:
        size = CREATED_TOGETHER if self._creates_together else 1
        while self._book.agenda.is_due(self._clock.now()):
            if self._slots.locked() or len(self._created) >= _NOTED_TOGETHER:
                self._note_created()
            await self._slots.acquire()
            dues = self._take(size)
            group.create_task(self._work_through(dues, size), name=f"{self._name}:tick")
            # one batch in a turn of the event loop, which others need too
            await asyncio.sleep(0)

    def _take(self, at_least: int) -> list[Due]:
        now, agenda = self._clock.now(), self._book.agenda
        dues: list[Due] = []
        missed = 0
        for progress in agenda.take_due(now):
            taken = progress.take(now)
            missed += progress.has_missed
            dues += taken
            if not taken:
                agenda.plan(progress)
            if len(dues) >= at_least:
                break
        if missed:
            self._tell_of_missed(missed, dues)
        return dues

    def _tell_of_missed(self, schedules: int, dues: Sequence[Due]) -> None:
        # one line for all that are taken together: after a downtime they are many
        names = list(dict.fromkeys(due.schedule.schedule_id for due in dues if due.progress.has_missed))
        logger.warning(
            "scheduled_ticks_missed",
            trigger=self._name,
            schedules=schedules,
            caught_up=names[:_NAMED_AT_MOST],
            created=sum(due.progress.has_missed for due in dues),
        )

    async def _work_through(self, dues: Sequence[Due], size: int) -> None:
        """Begin with a slot, and give it back."""
        try:
            ready = [due for due in dues if due.progress.blocker_id is None or not await self._still_waits(due)]
        except BaseException:
            self._slots.release()
            raise
        if not ready:
            self._slots.release()
        # a stop in between: the next start begins at the cursors
        with suppress(StoppingError):
            for begin in range(0, len(ready), size):
                if begin:
                    await self._slots.acquire()
                await self._settle(ready[begin : begin + size])

    async def _still_waits(self, due: Due) -> bool:
        assert due.progress.blocker_id is not None, "no tick waits"  # noqa: S101 - asked by the caller
        try:
            blocker = await self.job_creator.get_job(due.progress.blocker_id)
        except Exception:  # noqa: BLE001 - whatever a creator raises: then the creation itself is to tell
            blocker = None
        if blocker is None or blocker.status.is_final:
            return False
        self._kept_waiting(due, blocker)
        return True

    @override
    def _kept_waiting(self, due: Due, job: Job) -> None:
        due.progress.hold(due.occurrence, job.id, self._clock.now())
        self._let_go(due.progress)

    @override
    async def _finished(self, due: Due) -> None:
        self._finished_together([due])
        # after the creation: a crash in between asks for the same job again, and its key answers
        await self._save_quietly(1)

    @override
    def _finished_together(self, dues: Sequence[Due]) -> None:
        now, cursors = self._clock.now(), self._book.cursors
        for progress, occurrence in dues:
            progress.finish(occurrence, now)
            cursors.save_later(progress)
            self._let_go(progress)

    def _let_go(self, progress: ScheduleProgress) -> None:
        self._book.agenda.plan(progress)
        if progress.due_at is not None and progress.due_at < self._wakes_at:
            self._alarm.ring()
