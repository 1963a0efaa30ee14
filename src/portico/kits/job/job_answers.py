"""Telling the queue how a run ended, until it has heard it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial

from portico.kits.job.acknowledgements import Acknowledgements
from portico.kits.job.job_run import JobRun, RunPhase
from portico.kits.job.job_slots import JobSlots
from portico.kits.job.outcome import Failure, Success, failure_of
from portico.kits.job.retry_policy import RetryPolicy, has_retries_left
from portico.kits.job.store_outage import StoreOutage
from portico.kits.job.waiting import Deadline, sleep_unless, take_cancellation
from portico.ports.clock import Clock
from portico.ports.job_lifecycle import CANCELLED_MESSAGE
from portico.ports.job_queue import JobQueueAdapter, QueueCapability, delays_retries
from portico.runtime.backoff import Backoff
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_STORE_BACKOFF = Backoff(base_seconds=0.1, cap_seconds=5.0, jitter=0.2)
_Answer = Callable[[], Awaitable[bool]]


class JobAnswers:
    """Acknowledges, rejects and releases; an answer is repeated while the store fails, until the lease is lost.

    Of these only acknowledging waits for nothing.
    """

    def __init__(
        self,
        queue: JobQueueAdapter,
        *,
        clock: Clock,
        retry_policy: RetryPolicy,
        slots: JobSlots,
        outage: StoreOutage,
        acknowledgements: Acknowledgements,
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._retry_policy = retry_policy
        self._slots = slots
        self._outage = outage
        self._acknowledgements = acknowledgements
        self.is_hurried = asyncio.Event()
        """Set while the worker stops: nothing is parked then."""

    async def give_back(self, run: JobRun, reason: str, delay_seconds: float = 0.0) -> None:
        """Release the job unrun; a queue that cannot release is told of a failure, which burns a retry."""
        if QueueCapability.RELEASE in self._queue.capabilities:
            answer = self._release(run, delay_seconds)
        else:
            await self._park(run, delay_seconds)
            answer = partial(self._queue.reject, run.job.id, requeue=True, error_message=reason)
        if await self._until_heard(run, answer):
            logger.debug("job_released", reason=reason, **run.log_fields())

    def succeed(self, run: JobRun, success: Success) -> None:
        """Complete the job, soon and beside others."""
        if success.is_storable:
            run.result = success.result
        else:
            logger.warning("job_result_too_large", **run.log_fields())
        self._acknowledgements.add(run)

    async def abort(self, run: JobRun) -> None:
        """End the job because somebody asked for that."""
        answer = partial(self._queue.reject, run.job.id, requeue=False, error_message=CANCELLED_MESSAGE)
        if await self._until_heard(run, answer):
            logger.warning("job_aborted", **run.log_fields())

    async def fail(self, run: JobRun, failure: Failure) -> None:
        """Tell the handler, then retry the job later, or end it."""
        await self._tell_handler(run, failure.error)
        if failure.is_worth_retrying and has_retries_left(run.job):
            await self._retry(run, failure)
            return
        answer = partial(
            self._queue.reject, run.job.id, requeue=failure.is_worth_retrying, error_message=failure.message
        )
        if await self._until_heard(run, answer):
            event = "job_dead_lettered" if failure.is_worth_retrying else "job_failed"
            logger.error(event, error=failure.message, at=_place(run, failure), **run.log_fields())

    async def _retry(self, run: JobRun, failure: Failure) -> None:
        message = failure.message
        delay = self._policy(run).delay_seconds(run.job.retry_count + 1)
        queue = self._queue
        if delays_retries(queue):
            retry_at = self._clock.now() + timedelta(seconds=delay)
            answer = partial(queue.reject, run.job.id, requeue=True, error_message=message, retry_at=retry_at)
        else:
            await self._park(run, delay)
            answer = partial(self._queue.reject, run.job.id, requeue=True, error_message=message)
        if await self._until_heard(run, answer):
            fields = run.log_fields()
            logger.warning("job_retrying", error=message, at=_place(run, failure), retry_in=round(delay, 3), **fields)

    def _policy(self, run: JobRun) -> RetryPolicy:
        definition = run.handling.definition
        own = None if definition is None else definition.options.retry_policy
        return own or self._retry_policy

    def _release(self, run: JobRun, delay_seconds: float) -> _Answer:
        if not delay_seconds:
            return partial(self._queue.release, run.job.id)
        available_at = self._clock.now() + timedelta(seconds=delay_seconds)
        return partial(self._queue.release, run.job.id, available_at=available_at)

    async def _tell_handler(self, run: JobRun, error: Exception) -> None:
        handling = run.handling
        if handling.handler is None:
            return
        run.phase = RunPhase.HANDLER
        try:
            async with AsyncExitStack() as stack:
                if handling.timeout_seconds is not None:
                    await stack.enter_async_context(Deadline(self._clock, handling.timeout_seconds))
                await handling.handler.on_failure(run.job, error)
        except asyncio.CancelledError:
            # the failure is known all the same, and the queue must be told
            take_cancellation()
            logger.warning("job_on_failure_cancelled", **run.log_fields())
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # noqa: BLE001 - what it raises changes nothing, the port says
            message = failure_of(problem).message
            logger.warning("job_on_failure_failed", error=message, **run.log_fields())
        finally:
            run.phase = RunPhase.ANSWER

    async def _park(self, run: JobRun, seconds: float) -> None:
        with self._slots.parked():
            await sleep_unless(self._clock, seconds, run.lost, self.is_hurried)

    async def _until_heard(self, run: JobRun, answer: _Answer) -> bool:
        failures = 0
        while not run.is_lost:
            run.is_answering = True
            try:
                is_heard = await answer()
            except Exception as error:  # noqa: BLE001 - what ended must not be dropped, whatever the store says
                run.is_answering = False
                failures += 1
                self._outage.begin(error)
                await sleep_unless(self._clock, _STORE_BACKOFF.delay_seconds(failures), run.lost)
            else:
                self._outage.end()
                run.is_answered = True
                if not is_heard:
                    # after a failure the first try may have been heard without our knowing
                    logger.warning("job_answer_ignored", failures=failures, **run.log_fields())
                return is_heard
        return False


def _place(run: JobRun, failure: Failure) -> str | None:
    """Say where the user looks: at the line that failed, or, for a payload that does not fit, at the function."""
    definition = run.handling.definition
    return failure.place or (None if definition is None else definition.place)
