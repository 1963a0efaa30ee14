"""One job from its turn to its answer."""

import asyncio
from collections.abc import Callable
from typing import Any

from portico.kits.job.job_answers import JobAnswers
from portico.kits.job.job_run import JobRun
from portico.kits.job.job_slots import JobSlots
from portico.kits.job.outcome import Success
from portico.kits.job.prefetch import Prefetch
from portico.kits.job.run_timeouts import RunTimeouts
from portico.kits.job.waiting import take_cancellation
from portico.ports.clock import Clock
from portico.utils.logging import get_logger

logger = get_logger(__name__)

MISSING_HANDLER_SECONDS = 30.0
_MAX_TYPES_NOTED = 1_000


class JobExecution:
    """Runs handlers and answers for them.

    Args:
        answers: how the queue is told.
        slots: where the job's slot is left when it is over.
        prefetch: told how long runs take.
        clock: the worker's.
        worker: the name of the worker in logs.
        accepts_work: False while the worker stops.
        on_end: told of every run that is over, but of those that ended well by their acknowledgement.

    """

    def __init__(  # noqa: PLR0913 - what a run touches
        self,
        answers: JobAnswers,
        *,
        slots: JobSlots,
        prefetch: Prefetch,
        clock: Clock,
        worker: str,
        accepts_work: Callable[[], bool],
        on_end: Callable[[JobRun], None],
    ) -> None:
        self._answers = answers
        self._slots = slots
        self._prefetch = prefetch
        self._clock = clock
        self._worker = worker
        self._accepts_work = accepts_work
        self._on_end = on_end
        self._types_without_handler: set[str] = set()
        self.timeouts = RunTimeouts(clock)
        self.is_tracing = False
        """Whether anybody reads what is logged of each run that begins."""

    async def run(self, run: JobRun, task: asyncio.Task[Any]) -> bool:
        """Work a job off in this task; False when the task is no longer to be used."""
        is_reusable = True
        try:
            if run.is_lost or run.is_aborted or run.is_late or run.handling.handler is None or not self._accepts_work():
                await self._dispose(run)
            else:
                is_reusable = await self._execute(run, task)
        except Exception:
            # a defect of ours ends one run
            logger.exception("job_run_broke", **run.log_fields())
        finally:
            self._slots.leave()
            if not run.is_acknowledging:
                self._on_end(run)
        return is_reusable

    async def _execute(self, run: JobRun, task: asyncio.Task[Any]) -> bool:
        if self.is_tracing:
            logger.debug("job_started", **run.log_fields())
        run.begin(self._clock, task)
        self.timeouts.add(run)
        try:
            outcome = await run.handle()
        except asyncio.CancelledError:
            return await self._give_up(run)
        finally:
            self.timeouts.discard(run)
        if task.cancelling():
            # the handler ended by itself although it was interrupted
            take_cancellation()
        run.ended_at = self._clock.monotonic()
        self._prefetch.note(run.ended_at - run.started_at)
        if run.is_aborted:
            await self._answers.abort(run)
        elif isinstance(outcome, Success):
            self._answers.succeed(run, outcome)
        else:
            await self._answers.fail(run, outcome)
        return True

    async def _give_up(self, run: JobRun) -> bool:
        if run.handling.is_threaded:
            # the thread goes on, so the job is not given away
            raise asyncio.CancelledError
        take_cancellation()
        if run.is_aborted:
            await self._answers.abort(run)
        else:
            await self._answers.give_back(run, "the worker stopped before the job was done")
        # somebody else cancelled the task: it is done for
        return run.is_interrupted

    async def _dispose(self, run: JobRun) -> None:
        if run.is_lost:
            return
        if run.is_aborted:
            await self._answers.abort(run)
        elif run.is_late:
            await self._answers.give_back(run, "no runner was free for a second")
        elif not self._accepts_work():
            await self._answers.give_back(run, "the worker stopped before the job began")
        else:
            self._note_missing_handler(run)
            await self._answers.give_back(run, "no handler for the job type", MISSING_HANDLER_SECONDS)

    def _note_missing_handler(self, run: JobRun) -> None:
        job_type = run.job.job_type
        # bounded: types may come from outside
        if job_type not in self._types_without_handler and len(self._types_without_handler) < _MAX_TYPES_NOTED:
            self._types_without_handler.add(job_type)
            logger.warning(
                "job_handler_missing",
                job_type=job_type,
                queue=run.job.queue_name,
                worker=self._worker,
                hint="its jobs wait until a worker of the queue has a handler for them: handlers=[...]",
            )
