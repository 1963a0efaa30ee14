import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import ClassVar

import pytest
from typing_extensions import override

from portico.exceptions import ConfigurationError
from portico.ports.clock import Clock
from portico.testing import FakeClock

START = datetime(2030, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.asyncio


async def _note_after(clock: FakeClock, seconds: float, seen: list[datetime]) -> None:
    await clock.sleep(seconds)
    seen.append(clock.now())


async def test_a_naive_start_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="aware"):
        FakeClock(datetime(2030, 1, 1))  # noqa: DTZ001 - what is refused


async def test_a_start_elsewhere_is_told_in_utc() -> None:
    clock = FakeClock(datetime(2030, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))

    assert clock.now() == START
    assert clock.now().tzinfo is UTC


async def test_time_stands_still_until_it_is_moved() -> None:
    clock = FakeClock(START)

    await clock.settle()
    assert (clock.now(), clock.monotonic()) == (START, 0.0)
    await clock.advance(1.5)

    assert (clock.now(), clock.monotonic()) == (START + timedelta(seconds=1.5), 1.5)


async def test_sleepers_wake_in_the_order_of_their_times_and_at_them() -> None:
    clock = FakeClock(START)
    seen: list[datetime] = []
    async with asyncio.TaskGroup() as group:
        for seconds in (3, 1, 2):
            group.create_task(_note_after(clock, seconds, seen))
        await clock.advance(10)

    assert seen == [START + timedelta(seconds=seconds) for seconds in (1, 2, 3)]


async def test_a_sleeper_that_sleeps_again_wakes_within_the_same_step() -> None:
    clock = FakeClock(START)
    seen: list[datetime] = []

    async def tick() -> None:
        for _ in range(3):
            await _note_after(clock, 1, seen)

    async with asyncio.TaskGroup() as group:
        group.create_task(tick())
        await clock.advance(3)

    assert seen == [START + timedelta(seconds=seconds) for seconds in (1, 2, 3)]


async def test_ten_tenths_of_a_second_are_a_second() -> None:
    clock = FakeClock(START)
    seen: list[datetime] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(_note_after(clock, 1, seen))
        for _ in range(10):
            await clock.advance(0.1)
        assert seen == [START + timedelta(seconds=1)]


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = FakeClock(START)
    seen: list[datetime] = []
    sleeper = asyncio.create_task(_note_after(clock, 1, seen))
    await clock.settle()
    assert clock.sleepers == 1

    sleeper.cancel()
    await clock.advance(2)

    assert (seen, clock.sleepers) == ([], 0)


async def test_sleeping_for_nothing_lets_others_run() -> None:
    clock = FakeClock(START)

    await clock.sleep(0)
    await clock.sleep(-1)

    assert clock.now() == START


async def test_time_does_not_go_back() -> None:
    with pytest.raises(ConfigurationError, match="does not go back"):
        await FakeClock(START).advance(-1)


async def test_sleeping_until_a_moment_wakes_at_it_and_not_once_a_second() -> None:
    clock = FakeClock(START)
    woken: list[datetime] = []

    async def wait() -> None:
        await clock.sleep_until(START + timedelta(days=1))
        woken.append(clock.now())

    task = asyncio.create_task(wait())
    await clock.advance(86_399)
    assert woken == []
    await clock.advance(1)
    assert woken == [START + timedelta(days=1)]
    await task


async def test_a_clock_of_somebody_elses_looks_at_the_wall_clock_each_second() -> None:
    class SetClock(FakeClock):
        naps: ClassVar[list[float]] = []

        @override
        async def sleep(self, seconds: float) -> None:
            self.naps.append(seconds)
            await super().sleep(seconds)

        sleep_until = Clock.sleep_until

    clock = SetClock(START)
    task = asyncio.create_task(clock.sleep_until(START + timedelta(seconds=2.5)))
    await clock.advance(3)
    assert clock.naps == [1.0, 1.0, 0.5]
    await task
