"""One claimed job in a worker's hands, from its claim to its answer."""

import asyncio
from dataclasses import dataclass, field
from enum import Enum

from portico.exceptions import ConfigurationError
from portico.kits.job.context import Context
from portico.kits.job.job_definition import JobDefinition
from portico.kits.job.outcome import Outcome, failure_of, outcome_of
from portico.kits.job.waiting import Deadline, is_being_cancelled, timed_out
from portico.ports.clock import Clock
from portico.ports.job import Job, JobResult
from portico.ports.job_handler import JobHandler
from portico.utils.logging import get_logger

logger = get_logger(__name__)


class RunPhase(Enum):
    """Who has the job, and so what a cancellation would hit."""

    ANSWER = "answer"
    """The worker: before the handler, or telling the queue how it ended."""
    HANDLER = "handler"
    THREAD = "thread"
    """A handler that nothing can cancel."""


@dataclass(eq=False)
class JobRun:
    """What a worker knows of a job that it has claimed; `handler` is None when it has none for it."""

    job: Job
    handler: JobHandler | None
    context: Context
    timeout_seconds: float | None
    started: float
    """On the monotonic clock."""
    lease_lost: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    phase: RunPhase = RunPhase.ANSWER
    is_answered: bool = False
    """True once the queue has heard how it ended; then somebody may claim the job anew."""

    @property
    def is_threaded(self) -> bool:
        """Whether its handler runs in a thread, which nothing can cancel."""
        return isinstance(self.handler, JobDefinition) and self.handler.is_sync

    def lose_lease(self) -> None:
        """Another worker may have the job now: stop, and answer nothing."""
        if self.is_answered:
            return
        self.lease_lost.set()
        self.interrupt()
        logger.warning("job_lease_lost", **self.context.log_fields())

    def interrupt(self) -> None:
        """Ask the handler to end: a coroutine is cancelled, a thread is told."""
        if self.phase is RunPhase.ANSWER:
            return
        self.context.cancelled.set()
        if self.phase is RunPhase.HANDLER and self.task is not None:
            self.task.cancel()

    async def handle(self, clock: Clock) -> Outcome:
        """Run the handler; raises only `CancelledError`, and only when somebody cancelled this task."""
        self.phase = RunPhase.THREAD if self.is_threaded else RunPhase.HANDLER
        try:
            return outcome_of(await self._call(clock))
        except asyncio.CancelledError as error:
            if is_being_cancelled():
                raise
            return failure_of(error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises is its job's failure, not the worker's
            return failure_of(error)
        finally:
            self.phase = RunPhase.ANSWER

    async def _call(self, clock: Clock) -> JobResult:
        if self.timeout_seconds is None:
            return await self._run_handler()
        if self.is_threaded:
            return await self._await_thread(clock, self.timeout_seconds)
        async with Deadline(clock, self.timeout_seconds):
            return await self._run_handler()

    async def _run_handler(self) -> JobResult:
        if self.handler is None:
            message = f"no handler for job type {self.job.job_type!r}"
            raise ConfigurationError(message)
        if isinstance(self.handler, JobDefinition):
            return await self.handler.run(self.context)
        return await self.handler.handle(self.job)

    async def _await_thread(self, clock: Clock, seconds: float) -> JobResult:
        # a job whose thread still runs is not given away: two runs of it would overlap
        watch = asyncio.create_task(self._hurry_thread(clock, seconds), name="thread-deadline")
        try:
            result = await self._run_handler()
        finally:
            is_late = watch.done()
            watch.cancel()
        if is_late:
            raise timed_out(seconds)
        return result

    async def _hurry_thread(self, clock: Clock, seconds: float) -> None:
        await clock.sleep(seconds)
        self.context.cancelled.set()
        logger.warning("job_thread_overran", timeout_seconds=seconds, **self.context.log_fields())
