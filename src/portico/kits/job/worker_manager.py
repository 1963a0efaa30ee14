"""What takes jobs from queues and runs them."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from types import MappingProxyType
from typing import Any

from typing_extensions import override

from portico.exceptions import ConfigurationError, DatabaseError, PorticoError
from portico.kits.job.acknowledgements import Acknowledgements
from portico.kits.job.event_loop_watch import EventLoopWatch
from portico.kits.job.handling import NO_HANDLING, Handling
from portico.kits.job.job_answers import JobAnswers
from portico.kits.job.job_execution import JobExecution
from portico.kits.job.job_run import JobRun, RunPhase
from portico.kits.job.job_runners import JobRunners
from portico.kits.job.job_slots import JobSlots
from portico.kits.job.prefetch import Prefetch
from portico.kits.job.registry import HandlerRegistry, Handlers
from portico.kits.job.retry_policy import RetryPolicy
from portico.kits.job.runs_in_hand import RunsInHand
from portico.kits.job.store_outage import StoreOutage
from portico.kits.job.store_upkeep import StoreUpkeep
from portico.ports.clock import Clock
from portico.ports.job import Job
from portico.ports.job_queue import JobQueueAdapter, QueueCapability
from portico.runtime.backoff import Backoff
from portico.runtime.service import Service
from portico.utils.logging import get_logger, is_enabled

logger = get_logger(__name__)

_IDLE_SECONDS = 1.0
_UNSTARTED_SECONDS = 1.0
_CANCEL_SECONDS = 5.0
_MAX_CLAIM = 500
_LEFT_BEHIND: Mapping[RunPhase, str] = MappingProxyType(
    {
        RunPhase.CLAIMED: "job_left_unanswered",
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

    While runs are short, jobs are claimed ahead, about 50 ms of work: so long a job of higher priority that comes
    later may have to wait. What has not begun after a second is given back. Where one of the queues is under a limit
    nothing is claimed ahead, so that no job takes up a place among those that run before it does.

    Args:
        job_queue: where the jobs come from; initialised at start, closed by whoever made it.
        handlers: by job type, or a list of handlers, functions with ``@job`` and modules that hold some.
        concurrency: how many jobs run at once.
        queues: the queues it serves; earlier ones go first.
        retry_policy: how long retries wait; that of an ``@job`` goes before it.
        handler_timeout_seconds: how long a run may take; that of an ``@job`` goes before it; None for ever.
        grace_seconds: how long `stop` waits for running jobs.
        processes: in how many processes ``portico worker`` runs this; a manager itself lives in one.
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
        processes: int = 1,
        clock: Clock | None = None,
        name: str = "worker",
    ) -> None:
        super().__init__(name=name, clock=clock, restart_backoff=_STORE_BACKOFF)
        _require(concurrency >= 1, f"concurrency must be at least 1, not {concurrency}")
        _require(processes >= 1, f"processes must be at least 1, not {processes}")
        _require(not isinstance(queues, str) and bool(queues) and all(queues), "queues must be a list of names")
        _require(grace_seconds >= 0, f"grace_seconds must not be negative: {grace_seconds}")
        _require(
            handler_timeout_seconds is None or handler_timeout_seconds > 0,
            f"handler_timeout_seconds must be positive: {handler_timeout_seconds}",
        )
        self._processes = processes
        self._queue = job_queue
        self._handlings = {
            job_type: Handling.by(handler, handler_timeout_seconds)
            for job_type, handler in HandlerRegistry(handlers).items()
        }
        self._queue_names = tuple(dict.fromkeys(queues))
        self._job_grace_seconds = grace_seconds
        self._slots = JobSlots(concurrency)
        self._prefetch = Prefetch(concurrency)
        self._runs = RunsInHand()
        self._watch = EventLoopWatch(self._runs, worker=name)
        self._outage = StoreOutage(self._clock, name)
        self._acknowledgements = Acknowledgements(
            job_queue, clock=self._clock, outage=self._outage, on_done=self._forget
        )
        self._answers = JobAnswers(
            job_queue,
            clock=self._clock,
            retry_policy=retry_policy or RetryPolicy(),
            slots=self._slots,
            outage=self._outage,
            acknowledgements=self._acknowledgements,
        )
        self._execution = JobExecution(
            self._answers,
            slots=self._slots,
            prefetch=self._prefetch,
            clock=self._clock,
            worker=name,
            accepts_work=lambda: self._accepts_work,
            on_end=self._forget,
        )
        self._runners = self._new_runners()
        self._upkeep = StoreUpkeep(
            job_queue,
            self._runs,
            clock=self._clock,
            outage=self._outage,
            worker=name,
            progressed=self._progressed,
        )
        self._may_prefetch = False
        self._lease_keeper: asyncio.Task[None] | None = None
        self._end_listening: Callable[[], object] | None = None

    @property
    def running_jobs(self) -> tuple[Job, ...]:
        """The jobs in this worker's hands."""
        return tuple(run.job for run in self._runs)

    @override
    async def _open(self, stack: AsyncExitStack) -> None:
        await self._queue.initialize()
        self._answers.is_hurried.clear()
        if self._end_listening is None:
            self._end_listening = self._queue.on_lease_lost(self._runs.lose)
        # what does not begin must go back without having failed, and must not take up a limit meanwhile
        can_give_back = {QueueCapability.RELEASE, QueueCapability.DELAYED_RETRY} <= self._queue.capabilities
        self._may_prefetch = can_give_back and not any(map(self._queue.is_limited, self._queue_names))
        self._runners = self._new_runners()
        # last in, first out: fetching ends, then the runs, and what they need is kept until then
        for label, loop in self._upkeep.loops.items():
            self._supervise(stack, label, loop)
        self._supervise(stack, "timeouts", self._execution.timeouts.keep)
        self._watch.start()
        stack.callback(self._watch.stop)
        stack.push_async_callback(self._end_runs)
        self._supervise(stack, "unstarted", self._look_after_unstarted)
        self._supervise(stack, "fetch", self._fetch)
        if self._lease_keeper is not None:
            self._lease_keeper.cancel()

    def _new_runners(self) -> JobRunners:
        return JobRunners(self._slots, self._execution.run, name=self._name, on_task=self._own)

    def _own(self, runner: asyncio.Task[Any]) -> None:
        # so that `stop` refuses to be called from a handler, for which it would wait
        self._tasks.add(runner)
        runner.add_done_callback(self._tasks.discard)

    async def _fetch(self) -> None:
        try:
            while True:
                await self._slots.wait_until(self._may_claim)
                # stop waits for a claim under way, so that no claimed job is dropped on its way here
                with self._work():
                    is_drained = await self._claim()
                self._outage.end()
                self._progressed("fetch")
                if is_drained:
                    await self._queue.wait_for_jobs(self._queue_names, _IDLE_SECONDS)
        except asyncio.CancelledError:
            if self._accepts_work:
                await self._drop_unstarted()
            raise

    @property
    def _room(self) -> int:
        ahead = self._prefetch.jobs if self._may_prefetch else 0
        return self._slots.free + ahead

    def _may_claim(self) -> bool:
        if self._acknowledgements.is_full:
            return False
        # many at a time, unless somebody waits for work
        room = self._room
        return room >= max(1, self._slots.limit // 4) or (room > 0 and not self._runners.waiting)

    async def _claim(self) -> bool:
        """Claim what there is room for; True when the queues have no more."""
        claimed = 0
        for queue_name in self._queue_names:
            limit = min(self._room, _MAX_CLAIM)
            if limit <= 0:
                return False
            jobs = await self._queue.dequeue_many(queue_name, limit, timeout=0)
            claimed += len(jobs)
            if jobs:
                self._begin(jobs)
            if len(jobs) >= limit:
                return False
        if not claimed:
            self._upkeep.woken_for_nothing.set()
        return True

    def _begin(self, jobs: Sequence[Job]) -> None:
        self._execution.is_tracing = is_enabled(logger, logging.DEBUG)
        now = self._clock.monotonic()
        runs = [JobRun(job, self._handlings.get(job.job_type, NO_HANDLING), now) for job in jobs]
        for run in runs:
            self._runs.add(run)
            self._slots.take()
        self._watch.wake()
        self._runners.put(runs)

    def _forget(self, run: JobRun) -> None:
        self._runs.remove(run)
        self._slots.stir()

    async def _look_after_unstarted(self) -> None:
        while True:
            await self._clock.sleep(_UNSTARTED_SECONDS)
            for run in self._runners.take_claimed_before(self._clock.monotonic() - _UNSTARTED_SECONDS):
                run.is_late = True
                self._prefetch.note_stuck()
                self._runners.run_apart(run)
            self._runners.wake()

    async def _drop_unstarted(self) -> None:
        """Give back what was claimed ahead, when the whole event loop ends without a stop."""
        for run in self._runners.take_all():
            with suppress(PorticoError):
                await self._queue.release(run.job.id)

    async def _end_runs(self) -> None:
        self._answers.is_hurried.set()
        self._runners.close()
        await self._runs.wait_for_end(self._clock, self._job_grace_seconds, lambda _: True)
        for run in self._runs:
            run.interrupt()
        await self._runs.wait_for_end(self._clock, _CANCEL_SECONDS, lambda run: run.phase is not RunPhase.THREAD)
        self._leave_behind()

    def _leave_behind(self) -> None:
        for run in self._runs:
            logger.warning(_LEFT_BEHIND[run.phase], **run.log_fields())
        if self._runs and self._upkeep.lease_seconds is not None:
            keeping = self._keep_running("left", self._keep_leases_of_left)
            self._lease_keeper = asyncio.create_task(keeping, name=f"{self._name}:left")
        else:
            self._stop_listening()

    async def _keep_leases_of_left(self) -> None:
        await self._upkeep.keep_leases_of_the_rest()
        self._stop_listening()

    def _stop_listening(self) -> None:
        if self._end_listening is not None:
            self._end_listening()
            self._end_listening = None

    @override
    def _on_started(self) -> None:
        logger.info(
            "worker_started", worker=self._name, queues=list(self._queue_names), handlers=sorted(self._handlings)
        )
        if self._processes > 1:
            logger.warning(
                "worker_processes_ignored", processes=self._processes, hint="`portico worker APP` starts that many"
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
