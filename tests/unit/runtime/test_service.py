"""Starting and stopping."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from portico.exceptions import ConfigurationError, ConflictError
from portico.runtime.backoff import Backoff
from portico.runtime.service import Service, StoppingError, describe, finish
from portico.testing import FakeClock
from portico.testing.stress import stress_start_stop

pytestmark = pytest.mark.asyncio

START = datetime(2026, 3, 1, tzinfo=UTC)
NO_JITTER = Backoff(base_seconds=1.0, cap_seconds=60.0)


class Recorder(Service):
    """Notes what happens to it; `run` is its loop."""

    def __init__(
        self,
        run: Callable[["Recorder"], Awaitable[None]] | None = None,
        *,
        opening: asyncio.Event | None = None,
        clock: FakeClock | None = None,
        grace_seconds: float = 5.0,
    ) -> None:
        super().__init__(name="recorder", clock=clock, restart_backoff=NO_JITTER, grace_seconds=grace_seconds)
        self.run = run
        self.opening = opening
        self.opened = 0
        self.closed = 0
        self.fails_with: Exception | None = None

    @override
    async def _open(self, stack: AsyncExitStack) -> None:
        self.opened += 1
        stack.callback(self._close_resource)
        if self.run is not None:
            run = self.run
            self._supervise(stack, "loop", lambda: run(self))
        if self.opening is not None:
            await self.opening.wait()
        if self.fails_with is not None:
            raise self.fails_with

    def _close_resource(self) -> None:
        self.closed += 1


async def test_a_second_start_opens_nothing() -> None:
    service = Recorder()
    await service.start()
    await service.start()
    assert service.opened == 1
    await service.stop()


async def test_many_starts_at_once_open_it_once() -> None:
    service = Recorder()
    await asyncio.gather(*(service.start() for _ in range(10)))
    assert service.opened == 1
    await asyncio.gather(*(service.stop() for _ in range(10)))
    assert service.closed == 1


async def test_stopping_what_never_started_does_nothing() -> None:
    service = Recorder()
    await service.stop()
    assert not service.is_running


async def test_a_start_that_fails_closes_what_it_opened_and_can_be_tried_again() -> None:
    service = Recorder()
    service.fails_with = OSError("no")
    with pytest.raises(OSError, match="no"):
        await service.start()
    assert (service.opened, service.closed, service.is_running) == (1, 1, False)
    service.fails_with = None
    await service.start()
    assert service.is_running
    await service.stop()


async def test_a_start_that_is_cancelled_closes_what_it_opened() -> None:
    service = Recorder(opening=asyncio.Event())
    start = asyncio.create_task(service.start())
    await asyncio.sleep(0)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert (service.closed, service.is_running) == (1, False)


async def test_a_stop_that_is_cancelled_stops_all_the_same() -> None:
    release = asyncio.Event()

    async def run(service: Recorder) -> None:
        with service._work():
            await release.wait()

    service = Recorder(run)
    await service.start()
    await asyncio.sleep(0)
    stop = asyncio.create_task(service.stop())
    await asyncio.sleep(0)
    stop.cancel()
    await asyncio.sleep(0)
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await stop
    assert service.closed == 1


async def test_a_loop_does_not_run_before_the_start_is_through() -> None:
    runs: list[bool] = []

    async def run(service: Recorder) -> None:
        runs.append(service.is_running)

    opening = asyncio.Event()
    service = Recorder(run, opening=opening)
    start = asyncio.create_task(service.start())
    for _ in range(5):
        await asyncio.sleep(0)
    assert runs == []
    opening.set()
    await start
    await asyncio.sleep(0)
    assert runs == [True]
    await service.stop()


async def test_stop_waits_for_work_under_way_and_refuses_new_work() -> None:
    release = asyncio.Event()
    done = False

    async def run(service: Recorder) -> None:
        nonlocal done
        with service._work():
            await release.wait()
            done = True

    service = Recorder(run)
    await service.start()
    await asyncio.sleep(0)
    stop = asyncio.create_task(service.stop())
    await asyncio.sleep(0)
    with pytest.raises(StoppingError), service._work():
        pytest.fail("work was begun while stopping")
    assert not stop.done()
    release.set()
    await stop
    assert done


async def test_work_beyond_the_grace_is_cancelled_and_said() -> None:
    async def run(service: Recorder) -> None:
        with service._work():
            await asyncio.Event().wait()

    service = Recorder(run, grace_seconds=0.01)
    await service.start()
    await asyncio.sleep(0)
    with capture_logs() as logs:
        await service.stop()
    assert [entry["event"] for entry in logs] == ["service_grace_exceeded"]


async def test_a_loop_that_fails_is_run_again_after_a_growing_while() -> None:
    clock = FakeClock(START)
    runs: list[datetime] = []

    async def run(_: Recorder) -> None:
        runs.append(clock.now())
        raise OSError("down")

    service = Recorder(run, clock=clock)
    await service.start()
    await clock.advance(7.5)
    await service.stop()
    assert [(moment - START).total_seconds() for moment in runs] == [0, 1, 3, 7]


async def test_progress_makes_the_next_failure_the_first_again() -> None:
    clock = FakeClock(START)
    runs: list[datetime] = []

    async def run(service: Recorder) -> None:
        runs.append(clock.now())
        service._progressed("loop")
        raise OSError("down")

    service = Recorder(run, clock=clock)
    await service.start()
    await clock.advance(3.5)
    await service.stop()
    assert [(moment - START).total_seconds() for moment in runs] == [0, 1, 2, 3]


async def test_a_configuration_error_in_a_loop_ends_it_for_good() -> None:
    async def run(_: Recorder) -> None:
        raise ConfigurationError("the folder is gone")

    service = Recorder(run)
    await service.start()
    for _ in range(5):
        await asyncio.sleep(0)
    seen = [service.is_running]
    await service.stop()
    service.run = None
    await service.start()
    seen.append(service.is_running)
    await service.stop()
    assert seen == [False, True]


async def test_stopping_from_within_its_own_loop_is_refused_instead_of_hanging() -> None:
    refused: list[ConflictError] = []

    async def run(service: Recorder) -> None:
        try:
            await service.stop()
        except ConflictError as error:
            refused.append(error)

    service = Recorder(run)
    await service.start()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await service.stop()
    assert "cannot be stopped from within" in str(refused[0])


async def test_starts_and_stops_from_many_tasks_leave_nothing_behind() -> None:
    async def run(_: Recorder) -> None:
        await asyncio.Event().wait()

    service = Recorder(run)
    await stress_start_stop(service)
    assert service.opened == service.closed


async def test_the_stress_test_finds_a_leak() -> None:
    class Leaky(Recorder):
        @override
        async def _open(self, stack: AsyncExitStack) -> None:
            self.leaks = [
                *getattr(self, "leaks", []),
                asyncio.create_task(asyncio.sleep(60), name=f"leak-{self.opened}"),
            ]
            await super()._open(stack)

    service = Leaky()
    with pytest.raises(AssertionError, match="left behind"):
        await stress_start_stop(service, tasks=2, rounds=5)
    for task in service.leaks:
        task.cancel()


async def test_finish_goes_on_after_a_cancellation_and_passes_it_on() -> None:
    release = asyncio.Event()
    done = False

    async def work() -> None:
        nonlocal done
        await release.wait()
        done = True

    task = asyncio.create_task(finish(work()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done


async def test_a_foreign_error_is_described_by_class_alone_because_its_text_may_hold_a_secret() -> None:
    assert describe(OSError("amqp://user:secret@host")) == "OSError"
    assert describe(ConfigurationError("bad cron")) == "ConfigurationError: bad cron"
