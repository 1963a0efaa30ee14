"""A sleep that can be ended from elsewhere, and that ends when it was meant to."""

import asyncio
from datetime import UTC, datetime

import pytest
from typing_extensions import override

from portico.ports.clock import Clock
from portico.runtime.alarm import Alarm
from portico.testing import FakeClock

pytestmark = pytest.mark.asyncio


class BusyClock(Clock):
    """A clock that notes how long is slept, and does not move by itself."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    @override
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    @override
    def monotonic(self) -> float:
        return self.seconds

    @override
    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_what_others_do_before_the_sleep_begins_does_not_make_it_later() -> None:
    clock = BusyClock()

    def work() -> None:
        clock.seconds += 0.25

    waiting = asyncio.ensure_future(Alarm(clock).wait(1.0))
    # behind the wait, and before the sleep that it begins
    asyncio.get_running_loop().call_soon(work)
    await waiting

    assert clock.slept == [0.75]


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_a_ring_ends_the_wait(when: str) -> None:
    clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))
    alarm = Alarm(clock)
    if when == "before":
        alarm.ring()
    waiting = asyncio.ensure_future(alarm.wait(1.0))
    await clock.settle()
    alarm.ring()

    await asyncio.wait_for(waiting, 5)
    assert clock.monotonic() == 0
