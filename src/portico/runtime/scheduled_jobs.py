"""From ticks that are due to jobs: together or one by one, tried again, and told when that does not help."""

import asyncio
import math
from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from contextlib import AsyncExitStack
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from itertools import count, repeat
from typing import ClassVar

from typing_extensions import override

from portico.exceptions import ExternalServiceError, ValidationError
from portico.ports.alert import AlertService
from portico.ports.clock import Clock
from portico.ports.event_inbox import EventInbox, EventOutcome
from portico.ports.job import Job
from portico.ports.job_creator import BatchJobCreator, JobCreator
from portico.ports.trigger_store import TriggerStore
from portico.runtime.backoff import Backoff
from portico.runtime.schedule_checks import checked_attempts, checked_delay
from portico.runtime.schedule_config import ScheduleConfig
from portico.runtime.schedule_occurrences import Occurrence, tick_at
from portico.runtime.schedule_progress import Due, ScheduleProgress
from portico.runtime.service import StoppingError, describe
from portico.runtime.tick_log import TickLog
from portico.runtime.tick_requests import TickRequests
from portico.runtime.trigger import BaseTrigger, outcome_of
from portico.utils.logging import get_logger

logger = get_logger(__name__)

CREATIONS_AT_ONCE = 16
_ALERT_TIMEOUT_SECONDS = 10.0
_STILL_DUE_CAP_SECONDS = 60.0


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
        self._max_retries = checked_attempts(max_retries)
        # until the alert the delays are those that were asked for
        self._retrying = Backoff(base_seconds=checked_delay(retry_base_delay), cap_seconds=math.inf)
        self._still_due = Backoff(
            base_seconds=max(1.0, retry_base_delay), cap_seconds=max(_STILL_DUE_CAP_SECONDS, retry_base_delay)
        )
        self._slots = asyncio.Semaphore(CREATIONS_AT_ONCE)
        self._requests = TickRequests(self._key)
        self._created: deque[list[tuple[Due, Job]]] = deque()

    @override
    async def _open(self, stack: AsyncExitStack) -> None:
        await super()._open(stack)
        self._nothing_is_due = asyncio.Event()
        self._tick_log = TickLog(self.inbox, trigger=self._name)
        stack.push_async_callback(self._tick_log.flush)
        self._supervise(stack, "tick_log", partial(self._tick_log.run, self._nothing_is_due))

    async def _create_scheduled_job(self, config: ScheduleConfig) -> Job | None:
        """Create the job of the tick that is due, and return it; override it to create another one, or none.

        What it raises is retried, a `ValidationError` is not. Called outside of a tick it takes the present second for
        one.
        """
        call = _call.get() or Call(tick_at(self._clock.now().replace(microsecond=0)))
        request = self._requests.for_occurrence(config, call.occurrence, self._clock.now())
        job = call.job = await self._submit(request, **_facts_of(config))
        if not self._requests.is_kept_out(config, call.occurrence, job):
            await self._record_quietly(call.occurrence.as_event(config), outcome_of(job), jobs=[job])
        return job

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
        try:
            await self._answer(due.schedule, call)
        except ValidationError as error:
            await self._dismiss(due.occurrence.as_event(due.schedule), EventOutcome.REJECTED, str(error))
            await self._finished(due)
            return error
        self._recovered()
        if call.job is not None and self._requests.is_kept_out(due.schedule, due.occurrence, call.job):
            await self._leave_out(due, call.job)
        else:
            await self._finished(due)
        return None

    async def _answer(self, schedule: ScheduleConfig, call: Call) -> Job | None:
        """Call what may be overridden, and count the job that it returns."""
        token = _call.set(call)
        try:
            job = await self._create_scheduled_job(schedule)
        finally:
            _call.reset(token)
        # a mock returns anything
        if call.job is None and isinstance(job, Job):
            self._count(job, facts=[_facts_of(schedule)])
            await self._record_quietly(call.occurrence.as_event(schedule), outcome_of(job), jobs=[job])
            return job
        return call.job

    async def _create_together(self, dues: Sequence[Due]) -> None:
        now = self._clock.now()
        requests = [self._requests.for_tick(due, now) for due in dues]
        jobs = await self._submit_many(requests, (_facts_of(due.schedule) for due in dues))
        created: list[tuple[Due, Job]] = []
        kept_out: list[tuple[Due, Job]] = []
        for due, job in zip(dues, jobs, strict=True):
            is_kept_out = self._requests.is_kept_out(due.schedule, due.occurrence, job)
            (kept_out if is_kept_out else created).append((due, job))
        # a cancellation further down must not forget them
        self._created.append(created)
        if self._nothing_is_due.is_set():
            self._note_created()
        for due, job in kept_out:
            await self._leave_out(due, job)

    def _note_created(self) -> None:
        """Note what became of ticks; whichever are due come first."""
        now = self._clock.now()
        while self._created:
            created = self._created.popleft()
            self._finished_together([due for due, _ in created])
            source_ids = [due.occurrence.identity(due.schedule) for due, _ in created]
            self._tick_log.add(now, source_ids, [job for _, job in created])

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
        """Create jobs that are no ticks of now; those that an override makes and does not return are not known."""
        with self._work():
            if not self._creates_together:
                made = [await self._answer(schedule, Call(occurrence)) for occurrence in occurrences]
                return [job for job in made if job is not None]
            now = self._clock.now()
            requests = [self._requests.for_occurrence(schedule, each, now) for each in occurrences]
            jobs = await self._submit_many(requests, repeat(_facts_of(schedule)))
            self._tick_log.add(self._clock.now(), [each.identity(schedule) for each in occurrences], jobs)
            return jobs

    async def _is_given_up(self, due: Due) -> bool:
        if self._clock.now() - due.occurrence.tick <= due.schedule.catchup_window:
            return False
        logger.error("scheduled_tick_given_up", **self._facts(due))
        await self._finished(due)
        return True

    async def _report(self, dues: Sequence[Due], attempt: int, error: Exception) -> None:
        is_rejected = isinstance(error, ValidationError) and attempt < self._max_retries
        is_permanent = attempt == self._max_retries or is_rejected
        for due in dues:
            facts = {**self._facts(due), "attempt": attempt, "error": describe(error)}
            logger.warning("scheduled_job_creation_failed", **facts)
            if is_permanent:
                logger.error("scheduled_job_creation_failed_permanently", **facts)
        if is_permanent:
            messages = (f"Failed to create scheduled job: {due.schedule.job_type}" for due in dues)
            await asyncio.gather(*(self._alert(message, str(error)) for message in messages))

    async def _alert(self, message: str, error: str) -> None:
        if self.alert_service is None:
            return
        try:
            async with asyncio.timeout(_ALERT_TIMEOUT_SECONDS):
                with self._work():
                    await self.alert_service.send_alert(level="error", message=message, context={"error": error})
        except StoppingError:
            return
        except Exception as failure:  # noqa: BLE001 - an alert that cannot be sent changes nothing
            logger.warning("alert_failed", trigger=self._name, error=describe(failure))

    def _facts(self, due: Due) -> dict[str, object]:
        return {
            "trigger": self._name,
            "schedule_id": due.schedule.schedule_id,
            "job_type": due.schedule.job_type,
            "scheduled_for": due.occurrence.tick.isoformat(),
        }


def _facts_of(schedule: ScheduleConfig) -> dict[str, object]:
    times = {"cron": schedule.cron} if schedule.cron is not None else {"when": schedule.when}
    return {"schedule_id": str(schedule.schedule_id), **times}
