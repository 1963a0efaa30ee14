"""What every trigger shares: its life, its health, and the one way from an event to a job."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Any, ClassVar
from uuid import UUID

from typing_extensions import override

from portico.exceptions import ConfigurationError, ValidationError
from portico.ports.clock import Clock
from portico.ports.event_inbox import EventInbox, EventOutcome, InboxEvent
from portico.ports.job import Job
from portico.ports.job_creator import BatchJobCreator, JobCreator, JobRequest
from portico.ports.job_trigger import JobTrigger, TriggerHealth, TriggerState
from portico.ports.trigger_store import TriggerStore
from portico.runtime.backoff import Backoff
from portico.runtime.events import Event, FilteredError, event_id
from portico.runtime.memory_state import MemoryEventInbox, MemoryTriggerStore
from portico.runtime.service import Service, describe
from portico.utils.logging import get_logger, is_enabled

logger = get_logger(__name__)

_LONGEST_IDENTITY = 400

_COUNTED = "_portico_counted"
"""How often an error was counted and is still on its way up: one object may be raised again, and by several."""
_NO_FACTS: Iterable[Mapping[str, object]] = repeat({})


@dataclass(frozen=True)
class Accepted:
    """The event has its job, a new one or (`job.is_duplicate`) the one it had already."""

    job: Job


@dataclass(frozen=True)
class Dismissed:
    """The event has no job and never will: it was filtered or rejected, and may be acknowledged."""

    outcome: EventOutcome
    reason: str


class BaseTrigger(Service, JobTrigger):
    """A trigger: a source, a translation of its events, and this.

    `_submit` is the only caller of the creator; `_process` is the one path of an event: translate, create, record what
    became of it. When either returns, the source may be acknowledged; when it raises, it may not.
    """

    kind: ClassVar[str]
    """``"webhook"``, ``"schedule"``, ...: the default name, and part of the names of log events."""

    def __init__(
        self,
        job_creator: JobCreator,
        *,
        name: str | None = None,
        clock: Clock | None = None,
        store: TriggerStore | None = None,
        inbox: EventInbox | None = None,
        restart_backoff: Backoff | None = None,
    ) -> None:
        if name is not None and not name.strip():
            raise ConfigurationError("a trigger's name must not be blank")
        if not callable(getattr(job_creator, "create_job", None)):
            kind = type(job_creator).__name__
            raise ConfigurationError(f"job_creator must be a JobCreator, such as jobs.creator, not {kind}")
        super().__init__(name=name or self.kind, clock=clock, restart_backoff=restart_backoff)
        self.job_creator = job_creator
        self._store = store
        self._inbox = inbox
        self._state = TriggerState.STOPPED
        self._last_event_at: datetime | None = None
        self._last_job_created: datetime | None = None
        self._last_error: str | None = None
        self._counts = dict.fromkeys(EventOutcome, 0)
        self._errors_count = 0

    @property
    def store(self) -> TriggerStore:
        """Where cursors and the like are kept; in memory until one was given."""
        if self._store is None:
            self._store = MemoryTriggerStore(clock=self._clock)
        return self._store

    @property
    def inbox(self) -> EventInbox:
        """Where events and their outcomes are kept; in memory until one was given."""
        if self._inbox is None:
            self._inbox = MemoryEventInbox()
        return self._inbox

    @property
    def summary(self) -> str:
        """What it listens to, in a few words for a human; without secrets."""
        return type(self).__name__

    @property
    def queue_names(self) -> frozenset[str]:
        """The queues that its jobs go to, as far as its configuration says."""
        return frozenset()

    @property
    def job_types(self) -> frozenset[str]:
        """The types of its jobs, as far as its configuration says."""
        return frozenset()

    def use(self, *, name: str | None, store: TriggerStore, inbox: EventInbox) -> None:
        """Give the trigger a name, a store and an inbox where it was built without; for the composition root."""
        if name is not None:
            self._name = name
        self._store = self._store or store
        self._inbox = self._inbox or inbox

    def get_health(self) -> TriggerHealth:
        """Return how the trigger is right now."""
        return TriggerHealth(
            is_running=self.is_running,
            last_job_created=self._last_job_created,
            jobs_created_count=self._counts[EventOutcome.ACCEPTED],
            errors_count=self._errors_count,
            state=self._state,
            last_event_at=self._last_event_at,
            last_error=self._last_error,
            duplicates_count=self._counts[EventOutcome.DUPLICATE],
            filtered_count=self._counts[EventOutcome.FILTERED],
            rejected_count=self._counts[EventOutcome.REJECTED],
        )

    async def _process(self, event: Event, translate: Callable[[Event], JobRequest]) -> Accepted | Dismissed:
        """Turn one event into its job; `translate` raises `FilteredError` or `ValidationError` where there is none.

        Raises:
            PorticoError: the job (or the record of a rejection) is not durable; the event must come again.

        """
        try:
            job = await self._submit(translate(event))
        except FilteredError as error:
            return await self._dismiss(event, EventOutcome.FILTERED, str(error))
        except ValidationError as error:
            return await self._dismiss(event, EventOutcome.REJECTED, str(error))
        await self._record_quietly(event, outcome_of(job), jobs=[job])
        return Accepted(job)

    async def _submit(self, request: JobRequest, **facts: object) -> Job:
        """Create the job; one is counted, and so is a failure that is not the input's fault.

        `facts` stand in the line of the log, too.
        """
        self._last_event_at = self._clock.now()
        try:
            job = await self.job_creator.create_job(**request.as_keywords())
        except Exception as error:
            self._count_failed_creation(error)
            raise
        self._count(job, facts=[facts])
        return job

    async def _submit_many(
        self, requests: Sequence[JobRequest], facts: Iterable[Mapping[str, object]] = _NO_FACTS
    ) -> list[Job]:
        """Create several jobs, in one call where the creator can; `facts` are those of each line of the log."""
        if len(requests) < 2 or not isinstance(self.job_creator, BatchJobCreator):  # noqa: PLR2004 - two make a batch
            return [await self._submit(request, **more) for request, more in zip(requests, facts, strict=False)]
        self._last_event_at = self._clock.now()
        try:
            jobs = await self.job_creator.create_jobs(requests)
        except Exception as error:
            self._count_failed_creation(error)
            raise
        self._count(*jobs, facts=facts)
        return jobs

    def _count_failed_creation(self, error: Exception) -> None:
        """Count what the creator raised, unless it is the input's fault."""
        if isinstance(error, ValidationError):
            return
        self._count_failed(error)
        # on the error itself: built-in ones take no weak references, and holding them would hold their frames
        setattr(error, _COUNTED, getattr(error, _COUNTED, 0) + 1)

    def _key(self, job_type: str, identity: str) -> str:
        """Return the idempotency key of the event that `identity` names at its source."""
        if len(identity) > _LONGEST_IDENTITY:
            # a path may have 4,096 characters, and an index of PostgreSQL takes 2,704 bytes
            identity = f"sha256-{hashlib.sha256(identity.encode(errors='surrogatepass')).hexdigest()}"
        return f"{self._name}:{job_type}:{identity}"

    def _count(self, *jobs: Job, facts: Iterable[Mapping[str, object]] = _NO_FACTS) -> None:
        outcomes = [outcome_of(job) for job in jobs]
        for outcome in outcomes:
            self._counts[outcome] += 1
        if EventOutcome.ACCEPTED in outcomes:
            self._last_job_created = self._clock.now()
        self._recovered()
        if is_enabled(logger, logging.INFO):
            for job, outcome, more in zip(jobs, outcomes, facts, strict=False):
                self._log_created(job, outcome, more)

    def _log_created(self, job: Job, outcome: EventOutcome, facts: Mapping[str, object]) -> None:
        is_new = outcome is EventOutcome.ACCEPTED
        logger.info(
            self._event("job_created_from_{}" if is_new else "duplicate_event_from_{}"),
            job_type=job.job_type,
            job_id=str(job.id),
            queue=job.queue_name,
            trigger=self._name,
            **facts,
        )

    def _failed(self, error: BaseException) -> None:
        """Count a failure whose way up ends here, unless it was counted where it was raised."""
        counted = getattr(error, _COUNTED, 0)
        if counted:
            setattr(error, _COUNTED, counted - 1)
        else:
            self._count_failed(error)

    def _count_failed(self, error: BaseException) -> None:
        self._errors_count += 1
        self._last_error = describe(error)
        if self._state is TriggerState.RUNNING:
            self._state = TriggerState.DEGRADED

    def _recovered(self) -> None:
        self._last_error = None
        if self._state in (TriggerState.DEGRADED, TriggerState.BACKOFF):
            self._state = TriggerState.RUNNING

    async def _dismiss(self, event: Event, outcome: EventOutcome, reason: str) -> Dismissed:
        self._last_event_at = now = self._clock.now()
        if outcome is EventOutcome.REJECTED:
            # before the source is acknowledged: a rejected event is nowhere else
            entry = self._entry(event, outcome, now, reason=reason, body=event.body)
            await self.inbox.record(entry)
            logger.warning("event_rejected", trigger=self._name, source_id=event.source_id, reason=reason)
        else:
            await self._record_quietly(event, outcome, reason=reason)
        self._counts[outcome] += 1
        return Dismissed(outcome, reason)

    async def _record_quietly(
        self, event: Event, outcome: EventOutcome, *, reason: str | None = None, jobs: Sequence[Job] = ()
    ) -> None:
        job_ids = [job.id for job in jobs]
        await self._keep_quietly(self._entry(event, outcome, self._clock.now(), reason=reason, job_ids=job_ids))

    async def _keep_quietly(self, entry: InboxEvent) -> None:
        try:
            await self.inbox.record(entry)
        except Exception as error:  # noqa: BLE001 - whatever an inbox raises, the event is not to come back
            # the job is durable; a missing line about it must not bring the event back
            logger.warning("event_not_recorded", trigger=self._name, outcome=entry.outcome.value, error=describe(error))

    def _entry(
        self,
        event: Event,
        outcome: EventOutcome,
        received_at: datetime,
        *,
        reason: str | None = None,
        body: bytes | None = None,
        job_ids: Sequence[UUID] = (),
    ) -> InboxEvent:
        return InboxEvent(
            id=event_id(),
            trigger=self._name,
            received_at=received_at,
            outcome=outcome,
            reason=reason,
            source_id=event.source_id,
            job_ids=tuple(job_ids),
            headers=event.headers,
            body=body,
        )

    def _event(self, template: str) -> str:
        return template.format(self.kind)

    def _settings(self) -> dict[str, Any]:
        """Return what the line of the start says beside the name; never a secret."""
        return {}

    @override
    async def _open(self, stack: AsyncExitStack) -> None:
        if self._store is None or self._inbox is None:
            logger.info("trigger_state_in_memory", trigger=self._name)
        await self.store.initialize()
        stack.push_async_callback(self.store.close)
        await self.inbox.initialize()
        stack.push_async_callback(self.inbox.close)

    @override
    def _on_already_running(self) -> None:
        logger.warning("trigger_already_running", trigger=self._name)

    @override
    def _on_starting(self) -> None:
        self._state = TriggerState.STARTING
        logger.info(self._event("starting_{}_trigger"), trigger=self._name, **self._settings())

    @override
    def _on_started(self) -> None:
        self._state = TriggerState.RUNNING
        logger.info(self._event("{}_trigger_started"), trigger=self._name)

    @override
    def _on_stopping(self) -> None:
        logger.info(self._event("stopping_{}_trigger"), trigger=self._name)

    @override
    def _on_stopped(self) -> None:
        self._state = TriggerState.STOPPED
        logger.info(self._event("{}_trigger_stopped"), trigger=self._name)

    @override
    def _on_backoff(self, label: str, error: Exception, delay_seconds: float) -> None:
        self._failed(error)
        self._state = TriggerState.BACKOFF
        super()._on_backoff(label, error, delay_seconds)

    @override
    def _on_failed(self, label: str, error: Exception) -> None:
        self._failed(error)
        self._state = TriggerState.FAILED
        super()._on_failed(label, error)


def outcome_of(job: Job) -> EventOutcome:
    """Return what became of an event whose creation returned this job."""
    # `is True`: a mock's attribute is truthy
    return EventOutcome.DUPLICATE if getattr(job, "is_duplicate", False) is True else EventOutcome.ACCEPTED
