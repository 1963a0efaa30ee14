"""Jobs by the clock."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from typing_extensions import override

from portico.exceptions import ConfigurationError
from portico.ports.alert import AlertService
from portico.ports.clock import Clock
from portico.ports.event_inbox import EventInbox
from portico.ports.job import Job
from portico.ports.job_creator import JobCreator
from portico.ports.trigger_store import TriggerStore
from portico.runtime.schedule_backfill import past_ticks
from portico.runtime.schedule_changes import Pause
from portico.runtime.schedule_config import ScheduleConfig, ScheduleDescription
from portico.runtime.schedule_loop import CREATED_TOGETHER, ScheduleLoop
from portico.runtime.schedule_occurrences import Cause, run_asked_for, tick_at
from portico.utils.logging import get_logger

__all__ = ["ScheduleConfig", "ScheduleDescription", "ScheduleTrigger"]

logger = get_logger(__name__)

_KEYS_ARE_HELD = timedelta(days=7)
"""For as long after a tick the queue knows by default, at the least, which job it had."""


class ScheduleTrigger(ScheduleLoop):
    """Creates a job at each tick of each schedule; replicas on one store and queue make one job a tick.

    Args:
        job_creator: creates the jobs.
        schedules: no two with the same `schedule_id`.
        alert_service: is told once of each tick that could not be created in `max_retries` attempts.
        max_retries: attempts for a tick before the alert; afterwards it stays due and is tried more rarely.
        retry_base_delay: seconds after the first failed attempt; doubled after each further one.
        name: part of every idempotency key; by default ``"schedule"``.
        clock: by default the system's.
        store: keeps how far each schedule has come, and what was changed at run time; by default in memory.
        inbox: keeps what became of each tick; by default in memory.

    """

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
        super().__init__(
            job_creator,
            _checked_schedules(schedules),
            alert_service=alert_service,
            max_retries=max_retries,
            retry_base_delay=retry_base_delay,
            name=name,
            clock=clock,
            store=store,
            inbox=inbox,
        )

    @property
    def schedules(self) -> tuple[ScheduleConfig, ...]:
        """The schedules as they are now: in the order given, then those added at run time."""
        return self._book.schedules if self.is_running else tuple(self._in_code)

    @property
    def paused(self) -> Mapping[str, str]:
        """The reasons why schedules are paused, by their ids."""
        return self._book.pause_reasons if self.is_running else {}

    @property
    @override
    def summary(self) -> str:
        first, *others = [f"{schedule.when}  -> {schedule.job_type}" for schedule in self.schedules] or ["no schedules"]
        return f"{first} and {len(others)} more" if others else first

    @property
    @override
    def queue_names(self) -> frozenset[str]:
        return frozenset(schedule.queue_name for schedule in self.schedules)

    @property
    @override
    def job_types(self) -> frozenset[str]:
        return frozenset(schedule.job_type for schedule in self.schedules)

    def next_fire(self) -> datetime | None:
        """Return the next tick of any schedule, aware and in UTC; None when there is none."""
        now, paused = self._clock.now(), self.paused
        ticks = (each.ticks().next_after(now) for each in self.schedules if each.schedule_id not in paused)
        return min((tick for tick in ticks if tick is not None), default=None)

    # What follows is for a trigger that runs (`StoppingError` otherwise), and meant for every replica on its store:
    # the others follow within two seconds.

    async def add(self, schedule: ScheduleConfig) -> None:
        """Add a schedule, which begins now; `ConflictError` when there is one with its id."""
        with self._work():
            await self._book.add(schedule)
        self._tell_of("schedule_added", schedule.schedule_id)

    async def edit(self, schedule: ScheduleConfig) -> None:
        """Put a schedule in the place of the one with its id; with other times it begins now."""
        with self._work():
            await self._book.edit(schedule)
        self._tell_of("schedule_edited", schedule.schedule_id)

    async def remove(self, schedule_id: str) -> None:
        """Remove a schedule, also one of the code: it stays away until it is added, or the code changes it."""
        with self._work():
            await self._book.remove(schedule_id)
        self._tell_of("schedule_removed", schedule_id)

    async def pause(self, schedule_id: str, reason: str = "") -> None:
        """Let a schedule create nothing until `resume`."""
        with self._work():
            await self._book.set_pause(schedule_id, Pause(is_paused=True, reason=reason))
        self._tell_of("schedule_paused", schedule_id, reason=reason)

    async def resume(self, schedule_id: str, *, catch_up: bool = False) -> None:
        """Let a paused schedule go on, from now; or with what `misfire` makes of the ticks that it missed."""
        with self._work():
            await self._book.set_pause(schedule_id, Pause(skip_until=None if catch_up else self._clock.now()))
        self._tell_of("schedule_resumed", schedule_id, catch_up=catch_up)

    async def run_now(self, schedule_id: str) -> Job | None:
        """Create a job of the schedule that is no tick; None where an override made it.

        It is a duplicate where `overlap` keeps it out.
        """
        jobs = await self._create_asked_for(self._required(schedule_id), [run_asked_for(self._clock.now())])
        return jobs[0] if jobs else None

    async def backfill(
        self, schedule_id: str, start: datetime, end: datetime | None = None, *, limit: int = 1_000
    ) -> list[Job]:
        """Create the jobs of the ticks in ``[start, end)``, by default until now; duplicates are those that exist.

        Naive times are on the wall clock of the schedule's zone. `overlap` is not asked. Of ticks older than
        `idempotency_seconds` of the queue nobody knows whether they had a job: they get one, and a warning is logged.

        Raises:
            ConfigurationError: `end` is in the future, or there are more than `limit` ticks.

        """
        schedule = self._required(schedule_id)
        ticks = past_ticks(schedule, start, end, now=self._clock.now(), limit=limit)
        if ticks and self._clock.now() - ticks[0] > _KEYS_ARE_HELD:
            facts = {"schedule_id": schedule_id, "start": ticks[0].isoformat()}
            logger.warning("schedule_backfill_beyond_keys", trigger=self._name, **facts)
        jobs: list[Job] = []
        for begin in range(0, len(ticks), CREATED_TOGETHER):
            occurrences = [tick_at(tick, Cause.BACKFILL) for tick in ticks[begin : begin + CREATED_TOGETHER]]
            jobs += await self._create_asked_for(schedule, occurrences)
        self._tell_of("schedule_backfilled", schedule_id, ticks=len(ticks))
        return jobs

    def _required(self, schedule_id: str) -> ScheduleConfig:
        with self._work():
            return self._book.require(schedule_id)

    def _tell_of(self, event: str, schedule_id: str, **facts: object) -> None:
        logger.info(event, trigger=self._name, schedule_id=schedule_id, **facts)
        self._alarm.ring()


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
