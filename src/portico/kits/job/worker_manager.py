"""What takes jobs from queues and runs them."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from types import MappingProxyType
from uuid import UUID

from typing_extensions import override

from portico.exceptions import ConfigurationError, DatabaseError
from portico.kits.job.context import Context
from portico.kits.job.job_answers import JobAnswers
from portico.kits.job.job_definition import JobDefinition
from portico.kits.job.job_run import JobRun, RunPhase
from portico.kits.job.job_slots import JobSlots
from portico.kits.job.registry import HandlerRegistry, Handlers
from portico.kits.job.retry_policy import RetryPolicy
from portico.kits.job.store_outage import StoreOutage
from portico.kits.job.waiting import take_cancellation, wait_for_all
from portico.ports.clock import Clock
from portico.ports.job import Job
from portico.ports.job_handler import JobHandler
from portico.ports.job_queue import JobQueueAdapter, QueueCapability
from portico.runtime.backoff import Backoff
from portico.runtime.service import Service
from portico.utils.logging import get_logger

logger = get_logger(__name__)

MISSING_HANDLER_SECONDS = 30.0
_IDLE_SECONDS = 1.0
_CANCEL_SECONDS = 5.0
_MAX_TYPES_NOTED = 1_000
_LEFT_BEHIND: Mapping[RunPhase, str] = MappingProxyType(
    {
        RunPhase.THREAD: "job_thread_left_running",
        RunPhase.HANDLER: "job_cancellation_ignored",
        RunPhase.ANSWER: "job_left_unanswered",
    }
)
_STORE_BACKOFF = Backoff(base_seconds=0.1, cap_seconds=5.0, jitter=0.2)


class WorkerManager(Service):
    """Runs the jobs of some queues, up to `concurrency` at once.

    `stop` waits for running jobs up to `grace_seconds`, then cancels coroutines and gives their jobs back without
    burning a retry. A thread still running cannot be cancelled: `stop` returns, and its job keeps its lease until the
    thread or the process ends.

    Args:
        job_queue: where the jobs come from; initialised at start, closed by whoever made it.
        handlers: by job type, or a list of handlers, functions with ``@job`` and modules that hold some.
        concurrency: how many jobs run at once.
        queues: the queues it serves; earlier ones go first.
        retry_policy: how long retries wait; that of an ``@job`` goes before it.
        handler_timeout_seconds: how long a run may take; that of an ``@job`` goes before it; None for ever.
        grace_seconds: how long `stop` waits for running jobs.
        clock: the machine's by default.
        name: what it is called in logs.

    """

    def __init__(  # noqa: PLR0913 - the contract has this signature
        self,
        job_queue: JobQueueAdapter,
        handlers: Handlers,
        concurrency: int = 10,
        queues: Sequence[str] = ("default",),
        *,
        retry_policy: RetryPolicy | None = None,
        handler_timeout_seconds: float | None = None,
        grace_seconds: float = 30.0,
        clock: Clock | None = None,
        name: str = "worker",
    ) -> None:
        super().__init__(name=name, clock=clock, restart_backoff=_STORE_BACKOFF)
        _require(concurrency >= 1, f"concurrency must be at least 1, not {concurrency}")
        _require(not isinstance(queues, str) and bool(queues) and all(queues), "queues must be a list of names")
        _require(grace_seconds >= 0, f"grace_seconds must not be negative: {grace_seconds}")
        _require(
            handler_timeout_seconds is None or handler_timeout_seconds > 0,
            f"handler_timeout_seconds must be positive: {handler_timeout_seconds}",
        )
        self._queue = job_queue
        self._handlers = HandlerRegistry(handlers)
        self._queue_names = tuple(dict.fromkeys(queues))
        self._timeout_seconds = handler_timeout_seconds
        self._job_grace_seconds = grace_seconds
        self._slots = JobSlots(concurrency)
        self._outage = StoreOutage(self._clock, name)
        self._answers = JobAnswers(
            job_queue,
            clock=self._clock,
            retry_policy=retry_policy or RetryPolicy(),
            slots=self._slots,
            outage=self._outage,
        )
        self._runs: dict[asyncio.Task[None], JobRun] = {}
        self._current: dict[UUID, JobRun] = {}
        self._types_without_handler: set[str] = set()
        self._lease_keeper: asyncio.Task[None] | None = None

    @property
    def running_jobs(self) -> tuple[Job, ...]:
        """The jobs in this worker's hands."""
        return tuple(run.job for run in self._runs.values())

    @override
    async def _open(self, stack: AsyncExitStack) -> None:
        await self._queue.initialize()
        self._answers.is_hurried.clear()
        # last in, first out: fetching ends, then the runs, and their leases are kept until then
        if self._lease_seconds is not None:
            self._supervise(stack, "recover", self._recover_expired)
            self._supervise(stack, "heartbeat", self._keep_leases)
        stack.push_async_callback(self._end_runs)
        self._supervise(stack, "fetch", self._fetch)
        if self._lease_keeper is not None:
            self._lease_keeper.cancel()

    @property
    def _lease_seconds(self) -> float | None:
        return self._queue.lease_seconds if QueueCapability.LEASES in self._queue.capabilities else None

    async def _fetch(self) -> None:
        while True:
            await self._slots.wait_for_free()
            # stop waits for a claim under way, so that no claimed job is dropped on its way here
            with self._work():
                has_claimed = await self._claim()
            self._outage.end()
            self._progressed("fetch")
            if not has_claimed:
                await self._queue.wait_for_jobs(self._queue_names, _IDLE_SECONDS)

    async def _claim(self) -> bool:
        has_claimed = False
        for queue_name in self._queue_names:
            if self._slots.free <= 0:
                break
            jobs = await self._queue.dequeue_many(queue_name, self._slots.free, timeout=0)
            for job in jobs:
                self._begin(job)
            has_claimed = has_claimed or bool(jobs)
        return has_claimed

    def _begin(self, job: Job) -> None:
        earlier = self._current.get(job.id)
        if earlier is not None:
            # claimed again while we have it: the lease had ended before a heartbeat could say so
            earlier.lose_lease()
        run = self._new_run(job)
        self._slots.take()
        run.task = asyncio.create_task(self._work_off(run), name=f"{self._name}:{job.job_type}:{job.id}")
        self._current[job.id] = run
        self._runs[run.task] = run
        # so that `stop` refuses to be called from a handler, for which it would wait
        self._tasks.add(run.task)
        run.task.add_done_callback(self._forget)

    def _new_run(self, job: Job) -> JobRun:
        handler = self._handlers.get(job.job_type)
        seconds = self._timeout_for(handler)
        deadline = None if seconds is None else self._clock.now() + timedelta(seconds=seconds)
        return JobRun(job, handler, Context(job, deadline), seconds, started=self._clock.monotonic())

    def _timeout_for(self, handler: JobHandler | None) -> float | None:
        own = handler.options.timeout_seconds if isinstance(handler, JobDefinition) else None
        return self._timeout_seconds if own is None else own

    def _forget(self, task: asyncio.Task[None]) -> None:
        run = self._runs.pop(task)
        self._tasks.discard(task)
        if self._current.get(run.job.id) is run:
            del self._current[run.job.id]
        self._slots.leave()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("job_run_broke", exc_info=error, **run.context.log_fields())

    async def _work_off(self, run: JobRun) -> None:
        if run.lease_lost.is_set():
            return
        if not self._accepts_work:
            await self._answers.give_back(run, "the worker stopped before the job began")
        elif run.handler is None:
            self._note_missing_handler(run)
            await self._answers.give_back(run, "no handler for the job type", MISSING_HANDLER_SECONDS)
        else:
            await self._execute(run)

    async def _execute(self, run: JobRun) -> None:
        logger.debug("job_started", **run.context.log_fields())
        try:
            outcome = await run.handle(self._clock)
        except asyncio.CancelledError:
            if run.is_threaded:
                # the thread goes on, so the job is not given away
                raise
            take_cancellation()
            await self._answers.give_back(run, "the worker stopped before the job was done")
            return
        # a handler may have ended by itself although it was interrupted
        take_cancellation()
        await self._answers.conclude(run, outcome)

    def _note_missing_handler(self, run: JobRun) -> None:
        job_type = run.job.job_type
        # bounded: types may come from outside
        if job_type not in self._types_without_handler and len(self._types_without_handler) < _MAX_TYPES_NOTED:
            self._types_without_handler.add(job_type)
            logger.warning("job_handler_missing", job_type=job_type, queue=run.job.queue_name, worker=self._name)

    async def _keep_leases(self) -> None:
        while True:
            await self._clock.sleep((self._lease_seconds or 0) / 3)
            await self._beat()
            self._progressed("heartbeat")

    async def _beat(self) -> None:
        try:
            lost = await self._queue.heartbeat()
        except DatabaseError as error:
            # the next beat comes before the lease ends
            self._outage.begin(error)
            return
        for job_id in lost & self._current.keys():
            self._current[job_id].lose_lease()

    async def _recover_expired(self) -> None:
        while True:
            count = await self._queue.requeue_expired()
            if count:
                logger.warning("jobs_recovered", count=count, worker=self._name)
            self._progressed("recover")
            await self._clock.sleep(min((self._lease_seconds or 0) / 6, 5.0))

    async def _end_runs(self) -> None:
        self._answers.is_hurried.set()
        await wait_for_all(self._clock, self._job_grace_seconds, self._runs)
        for run in self._runs.values():
            run.interrupt()
        ending = [task for task, run in self._runs.items() if run.phase is not RunPhase.THREAD]
        await wait_for_all(self._clock, _CANCEL_SECONDS, ending)
        self._leave_behind()

    def _leave_behind(self) -> None:
        for run in self._runs.values():
            logger.warning(_LEFT_BEHIND[run.phase], **run.context.log_fields())
        if self._runs and self._lease_seconds is not None:
            keeping = self._keep_running("left", self._keep_leases_of_left)
            self._lease_keeper = asyncio.create_task(keeping, name=f"{self._name}:left")

    async def _keep_leases_of_left(self) -> None:
        while self._runs:
            await self._clock.sleep((self._lease_seconds or 0) / 3)
            await self._beat()

    @override
    def _on_started(self) -> None:
        logger.info(
            "worker_started", worker=self._name, queues=list(self._queue_names), handlers=sorted(self._handlers)
        )

    @override
    def _on_stopped(self) -> None:
        logger.info("worker_stopped", worker=self._name)

    @override
    def _on_backoff(self, label: str, error: Exception, delay_seconds: float) -> None:
        if isinstance(error, DatabaseError):
            self._outage.begin(error)
            return
        super()._on_backoff(label, error, delay_seconds)


def _require(is_right: bool, message: str) -> None:  # noqa: FBT001 - the condition comes first, as in an assertion
    if not is_right:
        raise ConfigurationError(message)
