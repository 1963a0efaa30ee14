"""Waiting without missing a signal."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from typing_extensions import override

from portico.adapters.ready_signals import ReadySignals
from portico.exceptions import DatabaseError
from portico.runtime.clock import SystemClock
from portico.testing import FakeClock

START = datetime(2030, 1, 1, tzinfo=UTC)
pytestmark = pytest.mark.asyncio


def quiet(*queue_names: str, due_at: datetime | None = None) -> tuple[ReadySignals, FakeClock]:
    clock = FakeClock(START)
    signals = ReadySignals(clock)
    for name in queue_names:
        signals.emptied(name, signals.before_claim(name), due_at)
    return signals, clock


async def waiting(signals: ReadySignals, clock: FakeClock, *queue_names: str) -> asyncio.Task[None]:
    task = asyncio.create_task(signals.wait(queue_names, 30))
    await clock.settle()
    return task


async def test_a_queue_that_nobody_emptied_is_not_waited_for() -> None:
    signals, _ = quiet()
    await signals.wait(["q"], 30)


async def test_a_ring_wakes_who_waits_for_that_queue_only() -> None:
    signals, clock = quiet("a", "b")
    for_a, for_b = await waiting(signals, clock, "a"), await waiting(signals, clock, "b")
    signals.ring(["a"])
    await clock.settle()
    assert (for_a.done(), for_b.done()) == (True, False)
    signals.ring_all()
    await clock.settle()
    assert for_b.done()


async def test_a_ring_during_a_claim_that_finds_nothing_is_not_missed() -> None:
    signals, _ = quiet("q")
    before = signals.before_claim("q")
    signals.ring(["q"])
    signals.emptied("q", before, None)
    await signals.wait(["q"], 30)


async def test_a_wait_ends_when_the_next_job_is_due() -> None:
    signals, clock = quiet("q", due_at=START + timedelta(seconds=5))
    task = await waiting(signals, clock, "q")
    await clock.advance(4.9)
    assert not task.done()
    await clock.advance(0.1)
    assert task.done()


async def test_a_wait_ends_with_its_timeout() -> None:
    signals, clock = quiet("q")
    task = await waiting(signals, clock, "q")
    await clock.advance(29.9)
    assert not task.done()
    await clock.advance(0.1)
    assert task.done()


async def test_a_cancelled_wait_leaves_no_sleeper_behind() -> None:
    signals, clock = quiet("q")
    task = await waiting(signals, clock, "q")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert clock.sleepers == 0
    signals.ring(["q"])


async def test_somebody_waits_returns_with_the_first_waiter() -> None:
    signals, clock = quiet("q")
    looking = asyncio.create_task(signals.somebody_waits())
    await clock.settle()
    assert not looking.done()
    task = await waiting(signals, clock, "q")
    assert looking.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_clock_that_fails_is_heard_by_who_waits() -> None:
    class BrokenClock(SystemClock):
        @override
        async def sleep(self, seconds: float) -> None:
            raise DatabaseError("the time is not known")

    signals = ReadySignals(BrokenClock())
    signals.emptied("default", signals.before_claim("default"), None)
    with pytest.raises(DatabaseError, match="the time is not known"):
        await signals.wait(["default"], timeout=5)
