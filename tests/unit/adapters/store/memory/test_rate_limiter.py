"""The law of rate limits: never more than N in any window."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from portico.adapters.store.memory.rate_limiter import MemoryRateLimiter
from portico.exceptions import ConfigurationError
from portico.testing import FakeClock

START = datetime(2030, 1, 1, tzinfo=UTC)


def limiter() -> tuple[MemoryRateLimiter, FakeClock]:
    clock = FakeClock(START)
    return MemoryRateLimiter(clock=clock), clock


class SteppedClock(FakeClock):
    """Steps without letting the event loop run in between: thousands of steps take no time."""

    def __init__(self) -> None:
        super().__init__(START)
        self.seconds = 0.0

    @override
    def monotonic(self) -> float:
        return self.seconds


async def acquired_at(pauses: list[float], limit: int, window: float) -> list[float]:
    clock = SteppedClock()
    limits = MemoryRateLimiter(clock=clock)
    passed: list[float] = []
    for pause in pauses:
        clock.seconds += pause
        if (await limits.acquire("key", limit, window)).allowed:
            passed.append(clock.monotonic())
    return passed


@given(
    pauses=st.lists(st.floats(min_value=0, max_value=3), max_size=80),
    limit=st.integers(min_value=1, max_value=5),
    window=st.floats(min_value=0.01, max_value=5),
)
def test_no_window_ever_has_more_than_the_limit(pauses: list[float], limit: int, window: float) -> None:
    passed = asyncio.run(acquired_at(pauses, limit, window))
    for first, beyond in zip(passed, passed[limit:], strict=False):
        assert first + window <= beyond


@pytest.mark.asyncio
async def test_retry_after_is_exactly_when_the_next_passes() -> None:
    limits, clock = limiter()
    await limits.acquire("key", 2, 60)
    await clock.advance(10)
    await limits.acquire("key", 2, 60)
    refused = await limits.acquire("key", 2, 60)
    assert (refused.allowed, refused.remaining, refused.retry_after_seconds) == (False, 0, 50)
    await clock.advance(49.999)
    assert not (await limits.acquire("key", 2, 60)).allowed
    await clock.advance(0.001)
    assert (await limits.acquire("key", 2, 60)).allowed


@pytest.mark.asyncio
async def test_what_is_refused_takes_nothing() -> None:
    limits, clock = limiter()
    await limits.acquire("key", 1, 10)
    for _ in range(100):
        await limits.acquire("key", 1, 10)
    await clock.advance(10)
    assert (await limits.acquire("key", 1, 10)).allowed


@pytest.mark.asyncio
async def test_remaining_counts_down() -> None:
    limits, _ = limiter()
    assert [(await limits.acquire("key", 3, 10)).remaining for _ in range(4)] == [2, 1, 0, 0]


@pytest.mark.asyncio
async def test_keys_do_not_share_a_limit() -> None:
    limits, _ = limiter()
    assert (await limits.acquire("one", 1, 10)).allowed
    assert (await limits.acquire("two", 1, 10)).allowed


@pytest.mark.asyncio
async def test_a_lowered_limit_counts_what_passed_before() -> None:
    limits, clock = limiter()
    for _ in range(3):
        await limits.acquire("key", 3, 10)
        await clock.advance(1)
    refused = await limits.acquire("key", 1, 10)
    assert (refused.allowed, refused.retry_after_seconds) == (False, 9)


@pytest.mark.asyncio
async def test_keys_that_are_free_again_are_forgotten() -> None:
    clock = SteppedClock()
    limits = MemoryRateLimiter(clock=clock)
    for number in range(5000):
        await limits.acquire(f"key {number}", 1, 1)
        clock.seconds += 1
    assert len(limits._free_at) <= 1025


@pytest.mark.parametrize(("limit", "window"), [(0, 60), (1, 0), (1, float("nan"))])
@pytest.mark.asyncio
async def test_a_limit_that_means_nothing_is_refused(limit: int, window: float) -> None:
    with pytest.raises(ConfigurationError):
        await limiter()[0].acquire("key", limit, window)
