"""Jobs by the clock."""

import asyncio
import json
import math
from collections.abc import Iterable
from contextlib import AsyncExitStack
from contextvars import ContextVar
from copy import deepcopy
from datetime import UTC, datetime
from itertools import count
from typing import Any

from typing_extensions import override

from portico.exceptions import ConfigurationError, ValidationError
from portico.ports.alert import AlertService
from portico.ports.clock import Clock
from portico.ports.event_inbox import EventInbox, EventOutcome
from portico.ports.job_creator import JobCreator, JobRequest
from portico.ports.trigger_store import TriggerStore
from portico.runtime.backoff import Backoff
from portico.runtime.events import Event
from portico.runtime.schedule_config import ScheduleConfig
from portico.runtime.schedule_cursors import ScheduleCursors
from portico.runtime.schedule_progress import CATCH_UP_WINDOW, ScheduleProgress
from portico.runtime.schedules import epoch_text
from portico.runtime.service import StoppingError, describe
from portico.runtime.trigger import BaseTrigger, outcome_of
from portico.utils.logging import get_logger

__all__ = ["ScheduleConfig", "ScheduleTrigger"]

logger = get_logger(__name__)

_LONGEST_SLEEP_SECONDS = 1.0
"""The wall clock may be set, and monotonic clocks stop while the machine sleeps: look again this often."""
_CREATIONS_AT_ONCE = 16
_ALERT_TIMEOUT_SECONDS = 10.0
_STILL_DUE_CAP_SECONDS = 60.0

# per task: ticks of several schedules are created at the same time
_tick: ContextVar[datetime | None] = ContextVar("portico_schedule_tick", default=None)


class ScheduleTrigger(BaseTrigger):
    """Creates a job at each tick of each schedule; replicas on one store and queue make one job a tick.

    Args:
        job_creator: creates the jobs.
        schedules: no two with the same `schedule_id`.
        alert_service: is told once of each tick that could not be created in `max_retries` attempts.
        max_retries: attempts for a tick before the alert; afterwards it stays due and is tried more rarely.
        retry_base_delay: seconds after the first failed attempt; doubled after each further one.
        name: part of every idempotency key; by default ``"schedule"``.
        clock: by default the system's.
        store: keeps how far each schedule has come; by default in memory.
        inbox: keeps what became of each tick; by default in memory.

    """

    kind = "schedule"

    def __init__(  # noqa: PLR0913 - the contract's signature
        self,
        job_creator: JobCreator,
        schedules: Iterable[ScheduleConfig],
        *,
        alert_service: AlertService | None = None,
        max_retries: int = 3,
        retry_base_delay: float = 1.0,
        name: str | None = None,
        clock: Clock | None = None,
        store: TriggerStore | None = None,
        inbox: EventInbox | None = None,
    ) -> None:
        super().__init__(job_creator, name=name, clock=clock, store=store, inbox=inbox)
        self.alert_service = alert_service
        self._schedules = _checked_schedules(schedules)
        self._max_retries = _checked_attempts(max_retries)
        # until the alert the delays are those that were asked for
        self._retrying = Backoff(base_seconds=_checked_delay(retry_base_delay), cap_seconds=math.inf)
        self._still_due = Backoff(
            base_seconds=max(1.0, retry_base_delay), cap_seconds=max(_STILL_DUE_CAP_SECONDS, retry_base_delay)
        )
        self._slots = asyncio.Semaphore(_CREATIONS_AT_ONCE)
        self._progress: list[ScheduleProgress] = []

    @property
    def schedules(self) -> tuple[ScheduleConfig, ...]:
        """The schedules, in the order given."""
        return self._schedules

    @property
    @override
    def summary(self) -> str:
        first, *others = [f"{schedule.when}  -> {schedule.job_type}" for schedule in self._schedules] or [
            "no schedules"
        ]
        return f"{first} and {len(others)} more" if others else first

    @property
    @override
    def queue_names(self) -> frozenset[str]:
        return frozenset(schedule.queue_name for schedule in self._schedules)

    def next_fire(self) -> datetime | None:
        """Return the next tick of any schedule, aware and in UTC; None without schedules."""
        now = self._clock.now()
        ticks = (schedule.ticks().next_after(now) for schedule in self._schedules)
        return min((tick for tick in ticks if tick is not None), default=None)

    async def _create_scheduled_job(self, config: ScheduleConfig) -> None:
        """Create the job of the tick that is due; override it to create another one.

        What it raises is retried, a `ValidationError` is not. Called outside of a tick it takes the present second for
        one.
        """
        tick = _tick.get() or self._clock.now().replace(microsecond=0)
        job = await self._submit(self._request(config, tick))
        await self._record_quietly(_event(config, tick), outcome_of(job), jobs=[job])

    def _request(self, config: ScheduleConfig, tick: datetime) -> JobRequest:
        return JobRequest(
            job_type=config.job_type,
            payload=deepcopy(config.payload),
            queue_name=config.queue_name,
            priority=config.priority,
            metadata={
                "idempotency_key": self._key(config.job_type, _identity(config, tick)),
                "schedule_id": str(config.schedule_id),
                "scheduled_for": tick.astimezone(UTC).isoformat(),
            },
        )

    @override
    def _settings(self) -> dict[str, Any]:
        return {"schedules": len(self._schedules)}

    @override
    async def _open(self, stack: AsyncExitStack) -> None:
        await super()._open(stack)
        self._cursors = ScheduleCursors(self.store, self._name)
        self._progress = [await self._load(schedule) for schedule in self._schedules]
        self._supervise(stack, "ticks", self._tick_forever)

    async def _load(self, schedule: ScheduleConfig) -> ScheduleProgress:
        reached = await self._cursors.open(schedule.schedule_id, schedule.timing(), self._clock.now())
        return ScheduleProgress(schedule, reached)

    async def _tick_forever(self) -> None:
        for progress in self._progress:
            progress.rewind()
        async with asyncio.TaskGroup() as group:
            while True:
                self._begin_due(group)
                self._progressed("ticks")
                now = self._clock.now()
                waits = (progress.seconds_until_due(now, _LONGEST_SLEEP_SECONDS) for progress in self._progress)
                await self._clock.sleep(min(waits, default=_LONGEST_SLEEP_SECONDS))

    def _begin_due(self, group: asyncio.TaskGroup) -> None:
        now = self._clock.now()
        for progress in self._progress:
            if not progress.is_busy and (tick := progress.take(now)) is not None:
                group.create_task(self._catch_up(progress, tick), name=f"{self._name}:tick")

    async def _catch_up(self, progress: ScheduleProgress, first: datetime) -> None:
        tick: datetime | None = first
        try:
            while tick is not None:
                await self._create_until_done(progress, tick)
                progress.finish(tick)
                tick = progress.take(self._clock.now())
        except StoppingError:
            progress.rewind()

    async def _create_until_done(self, progress: ScheduleProgress, tick: datetime) -> None:
        for attempt in count(1):
            if await self._attempt(progress, tick, attempt):
                return
            await self._clock.sleep(self._delay_seconds(attempt))
            if self._clock.now() - tick > CATCH_UP_WINDOW:
                logger.error("scheduled_tick_given_up", **self._facts(progress.schedule, tick))
                return

    def _delay_seconds(self, attempt: int) -> float:
        backoff = self._retrying if attempt < self._max_retries else self._still_due
        return backoff.delay_seconds(attempt)

    async def _attempt(self, progress: ScheduleProgress, tick: datetime, attempt: int) -> bool:
        """Return True when the tick needs no further attempt."""
        schedule = progress.schedule
        async with self._slots:
            with self._work():
                error = await self._failure_of(schedule, tick)
                is_done = error is None or isinstance(error, ValidationError)
                if is_done:
                    await self._advance(progress, tick)
        if error is not None:
            await self._report(schedule, tick, attempt, error)
        return is_done

    async def _failure_of(self, schedule: ScheduleConfig, tick: datetime) -> Exception | None:
        token = _tick.set(tick)
        try:
            return await self._create_or_reject(schedule, tick)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is logged, and the tick stays due
            self._failed(error)
            return error
        finally:
            _tick.reset(token)

    async def _create_or_reject(self, schedule: ScheduleConfig, tick: datetime) -> ValidationError | None:
        try:
            await self._create_scheduled_job(schedule)
        except ValidationError as error:
            await self._dismiss(_event(schedule, tick), EventOutcome.REJECTED, str(error))
            return error
        self._recovered()
        return None

    async def _advance(self, progress: ScheduleProgress, tick: datetime) -> None:
        # after the creation: a crash in between asks for the same job again, and its key answers
        try:
            await self._cursors.advance(progress.schedule.schedule_id, progress.timing, tick)
        except Exception as error:  # noqa: BLE001 - the job is there; a store that fails must not bring it again
            # the next tick moves it further; until then a restart meets the key
            logger.warning("schedule_cursor_not_saved", **self._facts(progress.schedule, tick), error=describe(error))

    async def _report(self, schedule: ScheduleConfig, tick: datetime, attempt: int, error: Exception) -> None:
        facts = {**self._facts(schedule, tick), "attempt": attempt, "error": describe(error)}
        logger.warning("scheduled_job_creation_failed", **facts)
        is_rejected = isinstance(error, ValidationError) and attempt < self._max_retries
        if attempt == self._max_retries or is_rejected:
            logger.error("scheduled_job_creation_failed_permanently", **facts)
            await self._alert(schedule, error)

    async def _alert(self, schedule: ScheduleConfig, error: Exception) -> None:
        if self.alert_service is None:
            return
        with self._work():
            try:
                async with asyncio.timeout(_ALERT_TIMEOUT_SECONDS):
                    await self.alert_service.send_alert(
                        level="error",
                        message=f"Failed to create scheduled job: {schedule.job_type}",
                        context={"error": str(error)},
                    )
            except Exception as failure:  # noqa: BLE001 - an alert that cannot be sent changes nothing
                logger.warning("alert_failed", trigger=self._name, error=describe(failure))

    def _facts(self, schedule: ScheduleConfig, tick: datetime) -> dict[str, str]:
        return {
            "trigger": self._name,
            "schedule_id": schedule.schedule_id,
            "job_type": schedule.job_type,
            "scheduled_for": tick.isoformat(),
        }


def _identity(schedule: ScheduleConfig, tick: datetime) -> str:
    return f"{schedule.schedule_id}:{epoch_text(tick)}"


def _event(schedule: ScheduleConfig, tick: datetime) -> Event:
    return Event(source_id=_identity(schedule, tick), body=json.dumps(schedule.payload).encode())


def _checked_schedules(schedules: Iterable[ScheduleConfig]) -> tuple[ScheduleConfig, ...]:
    if isinstance(schedules, ScheduleConfig):
        raise ConfigurationError("schedules must be a list of ScheduleConfig, not a single one")
    known: dict[str, ScheduleConfig] = {}
    for schedule in schedules:
        if not isinstance(schedule, ScheduleConfig):
            raise ConfigurationError(f"schedules must hold ScheduleConfig, not {type(schedule).__name__}")
        if schedule.schedule_id in known:
            raise ConfigurationError(
                f"two schedules have the schedule_id '{schedule.schedule_id}' "
                f"(job types '{known[schedule.schedule_id].job_type}' and '{schedule.job_type}'): "
                "each tick would make one job only; give one of them another schedule_id"
            )
        known[schedule.schedule_id] = schedule
    return tuple(known.values())


def _checked_attempts(max_retries: int) -> int:
    if isinstance(max_retries, bool) or not isinstance(max_retries, int) or max_retries < 1:
        raise ConfigurationError(f"max_retries counts attempts and must be at least 1, not {max_retries!r}")
    return max_retries


def _checked_delay(retry_base_delay: float) -> float:
    if not isinstance(retry_base_delay, int | float) or not 0 <= retry_base_delay < math.inf:
        raise ConfigurationError(f"retry_base_delay must be seconds, 0 or more, not {retry_base_delay!r}")
    return retry_base_delay
