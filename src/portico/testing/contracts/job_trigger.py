"""What every trigger promises; subclass it, and your trigger is tested."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, ClassVar
from unittest.mock import AsyncMock

import pytest
import pytest_asyncio

from portico.exceptions import DatabaseError
from portico.ports.job_creator import JobCreator
from portico.ports.job_trigger import JobTrigger, TriggerHealth
from portico.testing.recording import RecordingJobCreator
from portico.testing.stress import stress_start_stop


class JobTriggerContract(ABC):
    """Subclass as ``class TestMyTrigger(JobTriggerContract)`` and give `make_trigger` and `emit`.

    Both may be coroutines. A source that tells its sender of a failed creation, instead of delivering again by itself,
    sets `redelivers` to False, which saves the wait for what will not come; one whose events have an identity of their
    own gives `emit_again`.
    """

    redelivers: ClassVar[bool] = True
    """An event whose creation failed comes again by itself."""
    timeout_seconds: ClassVar[float] = 10.0
    """How long an event may take to become a job."""
    quiet_seconds: ClassVar[float] = 0.3
    """How long to wait for a job that must not come."""
    stress_rounds: ClassVar[int] = 50

    @abstractmethod
    def make_trigger(self, job_creator: JobCreator) -> Any:
        """Return a new, stopped trigger on this source (or a coroutine of one)."""

    @abstractmethod
    def emit(self, trigger: JobTrigger) -> Any:
        """Make one new event happen at the source (or return a coroutine that does)."""

    def emit_again(self, trigger: JobTrigger) -> Any:  # noqa: ARG002 - the parameter is for overrides
        """Deliver the last event a second time, under the identity it has at its source."""
        pytest.skip("the events of this source have no identity that could repeat")

    @pytest.fixture
    def creator(self) -> RecordingJobCreator:
        """Return the creator that records what the trigger asks for."""
        return RecordingJobCreator()

    @pytest_asyncio.fixture
    async def trigger(self, creator: RecordingJobCreator) -> AsyncIterator[JobTrigger]:
        """Yield a stopped trigger; it is stopped again afterwards."""
        trigger: JobTrigger = await _now(self.make_trigger(creator))
        yield trigger
        await trigger.stop()

    @pytest.mark.asyncio
    async def test_it_runs_from_start_to_stop(self, trigger: JobTrigger) -> None:
        seen = [trigger.is_running]
        await trigger.start()
        seen.append(trigger.is_running)
        await trigger.stop()
        seen.append(trigger.is_running)
        assert seen == [False, True, False]

    @pytest.mark.asyncio
    async def test_an_event_becomes_exactly_one_job(self, trigger: JobTrigger, creator: RecordingJobCreator) -> None:
        await trigger.start()
        await _now(self.emit(trigger))
        await self._until(lambda: len(creator.jobs) == 1)
        await asyncio.sleep(self.quiet_seconds)
        assert len(creator.jobs) == 1

    @pytest.mark.asyncio
    async def test_starting_twice_listens_once(self, trigger: JobTrigger, creator: RecordingJobCreator) -> None:
        await trigger.start()
        await trigger.start()
        await _now(self.emit(trigger))
        await self._until(lambda: bool(creator.jobs))
        await asyncio.sleep(self.quiet_seconds)
        assert len(creator.jobs) == 1

    @pytest.mark.asyncio
    async def test_stopping_before_the_start_and_twice_does_nothing(self, trigger: JobTrigger) -> None:
        await trigger.stop()
        await trigger.start()
        await trigger.stop()
        await trigger.stop()
        assert not trigger.is_running

    @pytest.mark.asyncio
    async def test_no_job_is_created_after_stop(self, trigger: JobTrigger, creator: RecordingJobCreator) -> None:
        await trigger.start()
        await trigger.stop()
        await _now(self.emit(trigger))
        await asyncio.sleep(self.quiet_seconds)
        assert creator.jobs == []

    @pytest.mark.asyncio
    async def test_it_works_again_after_a_restart(self, trigger: JobTrigger, creator: RecordingJobCreator) -> None:
        await trigger.start()
        await trigger.stop()
        await trigger.start()
        await _now(self.emit(trigger))
        await self._until(lambda: bool(creator.jobs))
        assert len(creator.jobs) == 1

    @pytest.mark.asyncio
    async def test_an_event_survives_a_failed_creation(self, trigger: JobTrigger, creator: RecordingJobCreator) -> None:
        creator.fail_next(DatabaseError("the store is down"))
        await trigger.start()
        await self._emit_until_created(trigger, lambda: bool(creator.jobs))
        assert len(creator.jobs) == 1
        assert trigger.is_running

    @pytest.mark.asyncio
    async def test_the_same_event_again_creates_nothing(
        self, trigger: JobTrigger, creator: RecordingJobCreator
    ) -> None:
        await trigger.start()
        await _now(self.emit(trigger))
        await self._until(lambda: bool(creator.jobs))
        await _now(self.emit_again(trigger))
        await asyncio.sleep(self.quiet_seconds)
        assert len(creator.jobs) == 1

    @pytest.mark.asyncio
    async def test_its_health_counts_jobs_and_errors(self, trigger: JobTrigger, creator: RecordingJobCreator) -> None:
        creator.fail_next(DatabaseError("the store is down"))
        await trigger.start()
        await self._emit_until_created(trigger, lambda: self._health(trigger).jobs_created_count == 1)
        health = self._health(trigger)
        assert health.is_running
        assert health.errors_count == 1
        assert health.last_job_created is not None
        assert health.last_job_created.tzinfo is not None

    @pytest.mark.asyncio
    async def test_it_knows_only_the_creator_port(self) -> None:
        creator = AsyncMock(spec=JobCreator)
        trigger: JobTrigger = await _now(self.make_trigger(creator))
        await trigger.start()
        try:
            await _now(self.emit(trigger))
            await self._until(lambda: creator.create_job.await_count == 1)
        finally:
            await trigger.stop()
        keywords = creator.create_job.await_args.kwargs
        assert {"job_type", "payload", "queue_name", "priority"} <= set(keywords)
        assert not creator.create_job.await_args.args

    @pytest.mark.asyncio
    async def test_a_cancelled_start_leaves_it_stopped(self, trigger: JobTrigger) -> None:
        for ticks in range(8):
            start = asyncio.create_task(trigger.start())
            for _ in range(ticks):
                await asyncio.sleep(0)
            start.cancel()
            await asyncio.wait({start})
            assert trigger.is_running is not start.cancelled()
            await trigger.stop()
            assert not trigger.is_running

    @pytest.mark.asyncio
    async def test_starts_and_stops_from_many_tasks_leave_nothing_behind(self, trigger: JobTrigger) -> None:
        await stress_start_stop(trigger, rounds=self.stress_rounds)
        assert not trigger.is_running

    async def _emit_until_created(self, trigger: JobTrigger, is_created: Callable[[], bool]) -> None:
        """Emit while creations fail: a sender that is told so repeats, any other source delivers again by itself."""
        with suppress(Exception):
            await _now(self.emit(trigger))
        if self.redelivers:
            with suppress(TimeoutError):
                await self._until(is_created)
        if not is_created():
            await _now(self.emit(trigger))
        await self._until(is_created)

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(self.timeout_seconds):
            while not holds():
                await asyncio.sleep(0.01)

    @staticmethod
    def _health(trigger: JobTrigger) -> TriggerHealth:
        get_health: Callable[[], TriggerHealth] | None = getattr(trigger, "get_health", None)
        if get_health is None:
            pytest.skip("this trigger has no get_health")
        return get_health()


async def _now(value: Any) -> Any:
    return await value if isinstance(value, Awaitable) else value
