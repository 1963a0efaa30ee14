"""The shape of a trigger that is called: the caller waits, and is told what became of its event."""

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from functools import partial

from typing_extensions import override

from portico.ports.event_inbox import EventOutcome
from portico.ports.job import Job
from portico.ports.job_creator import JobRequest
from portico.runtime.deadlines import Deadlines
from portico.runtime.event_log import EventLog
from portico.runtime.events import Event
from portico.runtime.intake.steps import IntakeStep, take_in
from portico.runtime.service import StoppingError
from portico.runtime.trigger import BaseTrigger, outcome_of


class ReceivingTrigger(BaseTrigger):
    """Takes requests through `_intake` to the creator.

    A refusal is an answer: the caller still has its event, so the inbox keeps the reason and not the body.
    """

    _deadlines: dict[float, Deadlines]
    """By the seconds that a call may take."""
    _log: EventLog | None = None
    """Open while the trigger runs."""
    _keeps_events = True
    """Whether the inbox gets a line for each event."""

    @property
    @abstractmethod
    def _intake(self) -> Sequence[IntakeStep]:
        """The steps, in their order."""

    @override
    async def _open(self, stack: AsyncExitStack) -> None:
        await super()._open(stack)
        self._deadlines = {}
        self._log = EventLog(self.inbox, trigger=self._name)
        stack.push_async_callback(self._close_log)
        self._supervise(stack, "event_log", self._log.run)
        stack.push_async_callback(self._cut_off_calls)

    def _deadline(self, seconds: float) -> AbstractContextManager[None]:
        """Cut a call off when it takes too long, or `stop` cannot wait any longer; its job may exist all the same.

        Raises:
            TimeoutError: on leaving it: it took too long.
            StoppingError: on leaving it: the trigger stopped meanwhile.

        """
        if seconds not in self._deadlines:
            self._deadlines[seconds] = Deadlines(seconds)
        return self._deadlines[seconds].begin()

    async def _take_in(self, request: JobRequest) -> JobRequest:
        self._last_event_at = self._clock.now()
        return await take_in(request, self._intake)

    async def _create(self, event: Event, request: JobRequest) -> Job:
        job = await self._submit(request)
        await self._record_quietly(event, outcome_of(job), jobs=[job])
        return job

    async def _refuse(self, event: Event, reason: str) -> None:
        """Count and record an event that its caller would have to change."""
        self._refuse_for_now()
        await self._record_quietly(event, EventOutcome.REJECTED, reason=reason)

    def _refuse_for_now(self) -> None:
        """Count an event that its caller may bring again as it is; a flood of these must not reach the store."""
        self._last_event_at = self._clock.now()
        self._counts[EventOutcome.REJECTED] += 1

    @override
    async def _record_quietly(
        self, event: Event, outcome: EventOutcome, *, reason: str | None = None, jobs: Sequence[Job] = ()
    ) -> None:
        if not self._keeps_events:
            return
        job_ids = [job.id for job in jobs]
        entry = self._entry(event, outcome, self._clock.now(), reason=reason, body=event.body, job_ids=job_ids)
        if self._log is None:
            await self._keep_quietly(entry)
            return
        self._log.add(entry)
        if outcome is EventOutcome.REJECTED:
            # who has its job does not wait for a line about it; of what was refused there is nothing else
            await self._log.flush()

    async def _flush_log(self) -> None:
        if self._log is not None:
            await self._log.flush()

    async def _close_log(self) -> None:
        await self._flush_log()
        self._log = None

    async def _cut_off_calls(self) -> None:
        for deadlines in self._deadlines.values():
            deadlines.cut_off_all(partial(StoppingError, f"'{self._name}' stopped during a call"))
        await self._drain()
