"""One claimed job in a worker's hands, from its claim to its answer."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from portico.exceptions import ConfigurationError
from portico.kits.job.context import Context, log_fields
from portico.kits.job.handling import Handling
from portico.kits.job.outcome import Outcome, failure_of, outcome_of
from portico.kits.job.waiting import is_being_cancelled, timed_out
from portico.ports.clock import Clock
from portico.ports.job import Job, JobResult
from portico.utils.logging import get_logger

logger = get_logger(__name__)


class RunPhase(Enum):
    """Who has the job, and so what a cancellation would hit."""

    CLAIMED = "claimed"
    """Nobody yet: it waits for a runner."""
    HANDLER = "handler"
    THREAD = "thread"
    """A handler that nothing can cancel."""
    ANSWER = "answer"
    """The worker, telling the queue how it ended."""


@dataclass(eq=False, slots=True)
class JobRun:
    """What a worker knows of a job that it has claimed."""

    job: Job
    handling: Handling
    claimed_at: float
    """On the monotonic clock, as the other times here."""
    started_at: float = 0.0
    ended_at: float = 0.0
    result: dict[str, Any] | None = None
    """What the handler returned, while the queue has not heard it."""
    task: asyncio.Task[Any] | None = None
    phase: RunPhase = RunPhase.CLAIMED
    is_late: bool = False
    """True when it waited too long for a runner and goes back."""
    is_acknowledging: bool = False
    """True once it ended well and the queue is to hear it, sooner or later."""
    is_answering: bool = False
    """True while the queue is being told, and may have heard."""
    is_answered: bool = False
    """True once the queue has heard how it ended; then somebody may claim the job anew."""
    is_lost: bool = False
    """True once another worker may have the job."""
    is_aborted: bool = False
    """True once somebody asked for its end, before its handler had ended."""
    is_interrupted: bool = False
    has_timed_out: bool = False
    _lost: asyncio.Event | None = None
    _deadline: datetime | None = None
    _context: Context | None = field(default=None, repr=False)

    @property
    def context(self) -> Context:
        """What the handler is given."""
        if self._context is None:
            self._context = Context(self.job, self._deadline)
        return self._context

    @property
    def lost(self) -> asyncio.Event:
        """An event to wait for `is_lost`."""
        if self._lost is None:
            self._lost = asyncio.Event()
            if self.is_lost:
                self._lost.set()
        return self._lost

    def log_fields(self) -> dict[str, Any]:
        """Return the fields by which logs name this run."""
        return log_fields(self.job)

    def lose_lease(self) -> None:
        """Another worker may have the job now: stop, and answer nothing."""
        if self.is_answered or self.is_lost:
            return
        self.is_lost = True
        if self._lost is not None:
            self._lost.set()
        self.interrupt()
        # an answer under way was most likely heard, and the job claimed anew because of it
        if not self.is_answering:
            logger.warning("job_lease_lost", **self.log_fields())

    def abort(self) -> None:
        """Somebody wants the job to end; too late once its handler has."""
        if self.phase is not RunPhase.ANSWER and not self.is_aborted:
            self.is_aborted = True
            self.interrupt()

    def time_out(self) -> None:
        """The handler has had its time: a coroutine is cancelled, a thread is told, and its job not given away."""
        self.has_timed_out = True
        if self.phase is RunPhase.THREAD:
            self.context.cancelled.set()
            logger.warning("job_thread_overran", timeout_seconds=self.handling.timeout_seconds, **self.log_fields())
        elif self.phase is RunPhase.HANDLER and self.task is not None:
            self.task.cancel()

    def interrupt(self) -> None:
        """Ask the handler to end: a coroutine is cancelled, a thread is told."""
        if self.phase not in (RunPhase.HANDLER, RunPhase.THREAD):
            return
        self.is_interrupted = True
        self.context.cancelled.set()
        if self.phase is RunPhase.HANDLER and self.task is not None:
            self.task.cancel()

    def begin(self, clock: Clock, task: asyncio.Task[Any]) -> None:
        """Note that the handler begins now, in this task."""
        self.task = task
        self.started_at = clock.monotonic()
        if self.handling.timeout_seconds is not None:
            self._deadline = clock.now() + timedelta(seconds=self.handling.timeout_seconds)

    async def handle(self) -> Outcome:
        """Run the handler; raises only `CancelledError`, and only when somebody cancelled this task."""
        self.phase = RunPhase.THREAD if self.handling.is_threaded else RunPhase.HANDLER
        try:
            result = await self._call_handler()
            if self.has_timed_out and self.phase is RunPhase.THREAD:
                return failure_of(self._timed_out())
            return outcome_of(result)
        except asyncio.CancelledError as error:
            if not is_being_cancelled():
                return failure_of(error)
            if self.has_timed_out and not self.is_interrupted:
                return failure_of(self._timed_out())
            raise
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises is its job's failure, not the worker's
            return failure_of(error)
        finally:
            self.phase = RunPhase.ANSWER

    def _call_handler(self) -> Awaitable[JobResult]:
        handling = self.handling
        if handling.definition is not None:
            return handling.definition.run(self.context)
        if handling.handler is None:
            message = f"no handler for job type {self.job.job_type!r}"
            raise ConfigurationError(message)
        return handling.handler.handle(self.job)

    def _timed_out(self) -> TimeoutError:
        return timed_out(self.handling.timeout_seconds or 0)
