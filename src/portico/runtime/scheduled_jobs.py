"""From ticks that are due to jobs: together or one by one, tried again, and told when that does not help."""

import asyncio
import math
from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import ClassVar, NamedTuple

from portico.exceptions import ConfigurationError, ExternalServiceError, ValidationError
from portico.ports.alert import AlertService
from portico.ports.clock import Clock
from portico.ports.event_inbox import EventInbox, EventOutcome
from portico.ports.job import Job
from portico.ports.job_creator import BatchJobCreator, JobCreator, JobRequest
from portico.ports.trigger_store import TriggerStore
from portico.runtime.backoff import Backoff
from portico.runtime.events import Event
from portico.runtime.schedule_config import ScheduleConfig
from portico.runtime.schedule_occurrences import Occurrence, is_kept_out, job_request
from portico.runtime.schedule_progress import ScheduleProgress
from portico.runtime.service import describe
from portico.runtime.trigger import BaseTrigger, outcome_of
from portico.utils.logging import get_logger

logger = get_logger(__name__)

CREATIONS_AT_ONCE = 16
_ALERT_TIMEOUT_SECONDS = 10.0
_STILL_DUE_CAP_SECONDS = 60.0


class Due(NamedTuple):
    """A tick of a schedule that is to become a job; `is_last` of those that were taken together."""

    progress: ScheduleProgress
    occurrence: Occurrence
    is_last: bool = True

    @property
    def schedule(self) -> ScheduleConfig:
        """The schedule."""
        return self.progress.schedule


@dataclass(slots=True)
class Call:
    """What `_create_scheduled_job` is called for, and the job that it made where it is not overridden."""

    occurrence: Occurrence
    job: Job | None = None


# per task: ticks of several schedules are created at the same time
_call: ContextVar[Call | None] = ContextVar("portico_schedule_call", default=None)


class ScheduledJobs(BaseTrigger):
    """The half of the schedule trigger that creates; the other half knows when."""

    kind: ClassVar[str] = "schedule"

    def __init__(  # noqa: PLR0913 - the contract's signature, without the schedules
        self,
        job_creator: JobCreator,
        *,
        alert_service: AlertService | None,
        max_retries: int,
        retry_base_delay: float,
        name: str | None,
        clock: Clock | None,
        store: TriggerStore | None,
        inbox: EventInbox | None,
    ) -> None:
        super().__init__(job_creator, name=name, clock=clock, store=store, inbox=inbox)
        self.alert_service = alert_service
        self._max_retries = _checked_attempts(max_retries)
        # until the alert the delays are those that were asked for
        self._retrying = Backoff(base_seconds=_checked_delay(retry_base_delay), cap_seconds=math.inf)
        self._still_due = Backoff(
            base_seconds=max(1.0, retry_base_delay), cap_seconds=max(_STILL_DUE_CAP_SECONDS, retry_base_delay)
        )
        self._slots = asyncio.Semaphore(CREATIONS_AT_ONCE)

    async def _create_scheduled_job(self, config: ScheduleConfig) -> None:
        """Create the job of the tick that is due; override it to create another one.

        What it raises is retried, a `ValidationError` is not. Called outside of a tick it takes the present second for
        one.
        """
        call = _call.get() or Call(Occurrence(self._clock.now().replace(microsecond=0)))
        call.job = await self._submit(self._request(config, call.occurrence, self._clock.now()))
        if not self._is_kept_out(config, call.occurrence, call.job):
            await self._record_quietly(call.occurrence.as_event(config), outcome_of(call.job), jobs=[call.job])

    @abstractmethod
    async def _finished(self, due: Due) -> None:
        """The tick is done or given up; called once for each."""

    @abstractmethod
    def _finished_together(self, dues: Sequence[Due]) -> None:
        """Do as `_finished` for many; that this is remembered may take a while."""

    @abstractmethod
    def _kept_waiting(self, due: Due, job: Job) -> None:
        """The tick waits for the unfinished job."""

    @property
    def _creates_together(self) -> bool:
        # an override, or what a test put in its place, is called for each tick
        own = getattr(self._create_scheduled_job, "__func__", None)
        return own is ScheduledJobs._create_scheduled_job and isinstance(self.job_creator, BatchJobCreator)

    async def _settle(self, dues: Sequence[Due]) -> None:
        """Create the jobs; each tick is done or given up when this returns. Begins with a slot, and gives it back."""
        for attempt in count(1):
            try:
                error = await self._attempt(dues)
            finally:
                self._slots.release()
            if error is None:
                return
            if len(dues) > 1 and not isinstance(error, ExternalServiceError):
                # one of them spoils it for all; each is to meet its own error
                await self._settle_apart(dues)
                return
            await self._report(dues, attempt, error)
            if isinstance(error, ValidationError):
                return
            await self._clock.sleep(self._delay_seconds(attempt))
            dues = [due for due in dues if not await self._is_given_up(due)]
            if not dues:
                return
            await self._slots.acquire()

    async def _settle_apart(self, dues: Sequence[Due]) -> None:
        by_schedule: dict[ScheduleProgress, list[Due]] = {}
        for due in dues:
            by_schedule.setdefault(due.progress, []).append(due)
        async with asyncio.TaskGroup() as group:
            for own in by_schedule.values():
                group.create_task(self._settle_in_turn(own), name=f"{self._name}:tick")

    async def _settle_in_turn(self, dues: Sequence[Due]) -> None:
        for due in dues:
            await self._slots.acquire()
            await self._settle([due])

    def _delay_seconds(self, attempt: int) -> float:
        backoff = self._retrying if attempt < self._max_retries else self._still_due
        return backoff.delay_seconds(attempt)

    async def _attempt(self, dues: Sequence[Due]) -> Exception | None:
        with self._work():
            try:
                if len(dues) == 1:
                    return await self._create_one(dues[0])
                await self._create_together(dues)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is logged, and the ticks stay due
                self._failed(error)
                return error
            return None

    async def _create_one(self, due: Due) -> ValidationError | None:
        call = Call(due.occurrence)
        token = _call.set(call)
        try:
            await self._create_scheduled_job(due.schedule)
        except ValidationError as error:
            await self._dismiss(due.occurrence.as_event(due.schedule), EventOutcome.REJECTED, str(error))
            await self._finished(due)
            return error
        finally:
            _call.reset(token)
        self._recovered()
        if call.job is not None and self._is_kept_out(due.schedule, due.occurrence, call.job):
            await self._leave_out(due, call.job)
        else:
            await self._finished(due)
        return None

    async def _create_together(self, dues: Sequence[Due]) -> None:
        now = self._clock.now()
        jobs = await self._submit_many([self._request(due.schedule, due.occurrence, now) for due in dues])
        made: dict[EventOutcome, list[Job]] = {}
        done: list[Due] = []
        for due, job in zip(dues, jobs, strict=True):
            if self._is_kept_out(due.schedule, due.occurrence, job):
                await self._leave_out(due, job)
            else:
                done.append(due)
                made.setdefault(outcome_of(job), []).append(job)
        self._finished_together(done)
        for outcome, some in made.items():
            # one entry: a line for each tick of thousands of schedules would be most of the inbox
            await self._record_quietly(Event(source_id=f"{len(some)} ticks"), outcome, jobs=some)

    async def _leave_out(self, due: Due, job: Job) -> None:
        """The tick has no job of its own, because another one is unfinished."""
        if due.schedule.overlap == "queue_one":
            self._kept_waiting(due, job)
            return
        reason = "the last job of the schedule is unfinished"
        await self._dismiss(due.occurrence.as_event(due.schedule), EventOutcome.FILTERED, reason)
        logger.info("scheduled_tick_left_out", **self._facts(due), reason=reason)
        await self._finished(due)

    async def _create_asked_for(self, schedule: ScheduleConfig, occurrences: Sequence[Occurrence]) -> list[Job]:
        """Create jobs that are no ticks of now; those that an override makes are not known, and not returned."""
        with self._work():
            if self._creates_together:
                return await self._submit_many(
                    [self._request(schedule, each, self._clock.now()) for each in occurrences]
                )
            calls = [Call(occurrence) for occurrence in occurrences]
            for call in calls:
                token = _call.set(call)
                try:
                    await self._create_scheduled_job(schedule)
                finally:
                    _call.reset(token)
            return [call.job for call in calls if call.job is not None]

    def _request(self, schedule: ScheduleConfig, occurrence: Occurrence, now: datetime) -> JobRequest:
        return job_request(
            schedule,
            occurrence,
            key=self._key(schedule.job_type, occurrence.identity(schedule)),
            unique_key=f"{self._name}:{schedule.schedule_id}",
            now=now,
        )

    def _is_kept_out(self, schedule: ScheduleConfig, occurrence: Occurrence, job: Job) -> bool:
        if schedule.overlap == "allow":
            return False
        return is_kept_out(job, self._key(schedule.job_type, occurrence.identity(schedule)))

    async def _is_given_up(self, due: Due) -> bool:
        if self._clock.now() - due.occurrence.tick <= due.schedule.catchup_window:
            return False
        logger.error("scheduled_tick_given_up", **self._facts(due))
        await self._finished(due)
        return True

    async def _report(self, dues: Sequence[Due], attempt: int, error: Exception) -> None:
        is_rejected = isinstance(error, ValidationError) and attempt < self._max_retries
        is_permanent = attempt == self._max_retries or is_rejected
        # of many that failed together, one line and one alert for each type of job
        for job_type, number in Counter(due.schedule.job_type for due in dues).items():
            first = next(due for due in dues if due.schedule.job_type == job_type)
            facts = {**self._facts(first), "attempt": attempt, "error": describe(error)}
            if number > 1:
                facts["ticks"] = number
            logger.warning("scheduled_job_creation_failed", **facts)
            if is_permanent:
                logger.error("scheduled_job_creation_failed_permanently", **facts)
                await self._alert(f"Failed to create scheduled job: {job_type}", str(error))

    async def _alert(self, message: str, error: str) -> None:
        if self.alert_service is None:
            return
        with self._work():
            try:
                async with asyncio.timeout(_ALERT_TIMEOUT_SECONDS):
                    await self.alert_service.send_alert(level="error", message=message, context={"error": error})
            except Exception as failure:  # noqa: BLE001 - an alert that cannot be sent changes nothing
                logger.warning("alert_failed", trigger=self._name, error=describe(failure))

    def _facts(self, due: Due) -> dict[str, object]:
        return {
            "trigger": self._name,
            "schedule_id": due.schedule.schedule_id,
            "job_type": due.schedule.job_type,
            "scheduled_for": due.occurrence.tick.isoformat(),
        }


def _checked_attempts(max_retries: int) -> int:
    if isinstance(max_retries, bool) or not isinstance(max_retries, int) or max_retries < 1:
        raise ConfigurationError(f"max_retries counts attempts and must be at least 1, not {max_retries!r}")
    return max_retries


def _checked_delay(retry_base_delay: float) -> float:
    if not isinstance(retry_base_delay, int | float) or not 0 <= retry_base_delay < math.inf:
        raise ConfigurationError(f"retry_base_delay must be seconds, 0 or more, not {retry_base_delay!r}")
    return retry_base_delay
