"""Telling the queue of jobs that ended well, many at a time."""

import asyncio
import contextvars
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from portico.exceptions import ExternalServiceError, ValidationError
from portico.kits.job.job_run import JobRun
from portico.kits.job.store_outage import StoreOutage
from portico.kits.job.waiting import sleep_unless
from portico.ports.clock import Clock
from portico.ports.job_queue import JobQueueAdapter
from portico.runtime.backoff import Backoff
from portico.utils.logging import get_logger, is_enabled

logger = get_logger(__name__)

MAX_BATCH = 256
MAX_UNHEARD = 1_024
"""With so many waiting, nothing more is claimed."""
_STORE_BACKOFF = Backoff(base_seconds=0.1, cap_seconds=5.0, jitter=0.2)


class Acknowledgements:
    """Sends at once what comes; what comes while the store is at it goes together in the next call.

    A runner does not wait for it. What the store failed to hear is repeated until it has, or until the lease is lost;
    when the process dies before, the job runs again.
    """

    def __init__(
        self, queue: JobQueueAdapter, *, clock: Clock, outage: StoreOutage, on_done: Callable[[JobRun], None]
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._outage = outage
        self._on_done = on_done
        self._context = contextvars.copy_context()
        self._waiting: list[JobRun] = []
        self._unheard = 0
        self._sender: asyncio.Task[None] | None = None
        self._stragglers: set[asyncio.Task[None]] = set()

    @property
    def is_full(self) -> bool:
        """Whether the store is too far behind for more work."""
        return self._unheard >= MAX_UNHEARD

    def add(self, run: JobRun) -> None:
        """Complete the job of this run."""
        run.is_acknowledging = True
        self._unheard += 1
        self._waiting.append(run)
        if self._sender is None:
            # not in the context of the job that happens to be the first
            self._sender = asyncio.create_task(self._send_all(), name="acknowledge", context=self._context.copy())

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[:MAX_BATCH]
                del self._waiting[:MAX_BATCH]
                await self._send(batch)
        finally:
            self._sender = None

    async def _send(self, batch: Sequence[JobRun]) -> None:
        failures = 0
        while batch := self._without_lost(batch):
            try:
                heard = await self._acknowledge(batch)
            except Exception as error:  # noqa: BLE001 - what ended must not be dropped, whatever the store says
                if len(batch) > 1 and not isinstance(error, ExternalServiceError):
                    self._send_apart(batch)
                    return
                failures += 1
                await self._bear(batch[0], error, failures)
            else:
                self._outage.end()
                self._note_heard(batch, heard, failures)
                return

    def _without_lost(self, batch: Sequence[JobRun]) -> Sequence[JobRun]:
        lost = [run for run in batch if run.is_lost]
        if not lost:
            return batch
        self._forget(lost)
        return [run for run in batch if not run.is_lost]

    async def _acknowledge(self, batch: Sequence[JobRun]) -> Sequence[bool]:
        _mark_answering(batch, is_answering=True)
        try:
            if len(batch) == 1:
                return [await self._queue.acknowledge(batch[0].job.id, batch[0].result)]
            results = {run.job.id: run.result for run in batch if run.result is not None}
            heard = await self._queue.acknowledge_many([run.job.id for run in batch], results)
            if len(heard) != len(batch):
                message = f"acknowledge_many gave {len(heard)} answers for {len(batch)} jobs"
                raise TypeError(message)
            return heard
        finally:
            _mark_answering(batch, is_answering=False)

    async def _bear(self, run: JobRun, error: Exception, failures: int) -> None:
        if isinstance(error, ValidationError) and run.result is not None:
            run.result = None
            logger.warning("job_result_refused", error=str(error), **run.log_fields())
            return
        self._outage.begin(error)
        await sleep_unless(self._clock, _STORE_BACKOFF.delay_seconds(failures), run.lost)

    def _send_apart(self, batch: Sequence[JobRun]) -> None:
        # one of them is the reason, and must not hold up the others
        for run in batch:
            self._spawn(self._send([run]))

    def _spawn(self, sending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(sending, name="acknowledge-apart")
        self._stragglers.add(task)
        task.add_done_callback(self._stragglers.discard)

    def _note_heard(self, batch: Sequence[JobRun], heard: Sequence[bool], failures: int) -> None:
        is_told = is_enabled(logger, logging.INFO)
        log = logger.bind()
        for run, is_heard in zip(batch, heard, strict=True):
            run.is_answered = True
            if not is_heard:
                # after a failure the first try may have been heard without our knowing
                logger.warning("job_answer_ignored", failures=failures, **run.log_fields())
            elif is_told:
                duration_ms = round((run.ended_at - run.started_at) * 1000, 1)
                log.info("job_completed", duration_ms=duration_ms, **run.log_fields())
        self._forget(batch)

    def _forget(self, runs: Sequence[JobRun]) -> None:
        self._unheard -= len(runs)
        for run in runs:
            self._on_done(run)


def _mark_answering(batch: Sequence[JobRun], *, is_answering: bool) -> None:
    for run in batch:
        run.is_answering = is_answering
