"""What every rate limiter promises; subclass it, and your limiter is tested."""

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
import pytest_asyncio

from portico.exceptions import ConfigurationError
from portico.ports.rate_limiter import RateLimiter
from portico.testing.clock import FakeClock

_START = datetime(2030, 1, 1, 12, tzinfo=UTC)


class RateLimiterContract(ABC):
    """Subclass as ``class TestMyLimiter(RateLimiterContract)`` and give `make_limiter`, which may be a coroutine."""

    clock: FakeClock

    @abstractmethod
    def make_limiter(self) -> Any:
        """Return a limiter whose time is ``self.clock``; all that one test makes share their limits, if they can."""

    @pytest_asyncio.fixture
    async def limiter(self) -> AsyncIterator[RateLimiter]:
        """Yield a limiter; it is closed afterwards."""
        self.clock = FakeClock(_START)
        limiter = await self._made()
        yield limiter
        await limiter.close()

    @pytest.mark.asyncio
    async def test_remaining_counts_down(self, limiter: RateLimiter) -> None:
        decisions = [await limiter.acquire("key", 3, 60) for _ in range(4)]
        assert [(each.allowed, each.remaining) for each in decisions] == [(True, 2), (True, 1), (True, 0), (False, 0)]
        assert [each.retry_after_seconds for each in decisions] == [0, 0, 0, 60]

    @pytest.mark.asyncio
    async def test_no_window_ever_has_more_than_the_limit(self, limiter: RateLimiter) -> None:
        random = Random(4711)  # noqa: S311 - the same in every run
        passed: list[float] = []
        for _ in range(150):
            await self.clock.advance(random.choice((0, 0.001, 0.1, 0.9, 2.5)))
            if (await limiter.acquire("key", 4, 2)).allowed:
                passed.append(self.clock.monotonic())
        assert len(passed) > 20
        for first, beyond in zip(passed, passed[4:], strict=False):
            assert beyond - first >= 2 - 0.000_01

    @pytest.mark.asyncio
    async def test_retry_after_is_exactly_when_the_next_passes(self, limiter: RateLimiter) -> None:
        await limiter.acquire("key", 2, 60)
        await self.clock.advance(10)
        await limiter.acquire("key", 2, 60)
        refused = await limiter.acquire("key", 2, 60)
        assert not refused.allowed
        assert refused.retry_after_seconds == pytest.approx(50, abs=0.001)
        await self.clock.advance(49.99)
        assert not (await limiter.acquire("key", 2, 60)).allowed
        await self.clock.advance(0.01)
        assert (await limiter.acquire("key", 2, 60)).allowed
        assert not (await limiter.acquire("key", 2, 60)).allowed

    @pytest.mark.asyncio
    async def test_what_is_refused_takes_nothing(self, limiter: RateLimiter) -> None:
        await limiter.acquire("key", 1, 10)
        for _ in range(20):
            await limiter.acquire("key", 1, 10)
        await self.clock.advance(10)
        assert (await limiter.acquire("key", 1, 10)).allowed

    @pytest.mark.asyncio
    async def test_keys_do_not_share_a_limit(self, limiter: RateLimiter) -> None:
        assert (await limiter.acquire("webhook:a", 1, 10)).allowed
        assert (await limiter.acquire("webhook:\N{GREEK SMALL LETTER BETA} %:", 1, 10)).allowed

    @pytest.mark.asyncio
    async def test_a_lowered_limit_counts_what_passed_before(self, limiter: RateLimiter) -> None:
        for _ in range(3):
            await limiter.acquire("key", 3, 10)
            await self.clock.advance(1)
        refused = await limiter.acquire("key", 1, 10)
        assert not refused.allowed
        assert refused.retry_after_seconds == pytest.approx(9, abs=0.001)

    @pytest.mark.asyncio
    async def test_of_fifty_at_once_ten_pass(self, limiter: RateLimiter) -> None:
        decisions = await asyncio.gather(*(limiter.acquire("key", 10, 60) for _ in range(50)))
        assert sum(decision.allowed for decision in decisions) == 10
        assert sorted(decision.remaining for decision in decisions)[-10:] == list(range(10))

    @pytest.mark.asyncio
    async def test_a_large_limit_lets_no_window_have_more_and_few_less(self, limiter: RateLimiter) -> None:
        limit = 1_001
        decisions = [decision for _ in range(11) for decision in await self._hundred(limiter, limit)]
        assert sum(decision.allowed for decision in decisions) == limit
        refused = await limiter.acquire("key", limit, 60)
        assert 60 - 0.001 <= refused.retry_after_seconds <= 61 + 0.001
        await self.clock.advance(refused.retry_after_seconds)
        assert (await limiter.acquire("key", limit, 60)).allowed

    @pytest.mark.parametrize(("limit", "window"), [(0, 60), (-1, 60), (1, 0), (1, -1), (1, float("nan"))])
    @pytest.mark.asyncio
    async def test_a_limit_that_means_nothing_is_refused(self, limiter: RateLimiter, limit: int, window: float) -> None:
        with pytest.raises(ConfigurationError):
            await limiter.acquire("key", limit, window)

    @pytest.mark.asyncio
    async def test_a_closed_limiter_opens_again(self, limiter: RateLimiter) -> None:
        await limiter.acquire("key", 1, 60)
        await limiter.close()
        await limiter.close()
        assert (await limiter.acquire("other", 1, 60)).allowed

    async def _hundred(self, limiter: RateLimiter, limit: int) -> list[Any]:
        return await asyncio.gather(*(limiter.acquire("key", limit, 60) for _ in range(100)))

    async def _made(self) -> RateLimiter:
        made = self.make_limiter()
        limiter: RateLimiter = await made if inspect.isawaitable(made) else made
        return limiter


class SharedRateLimiterContract(RateLimiterContract):
    """For limiters on a store that several processes use."""

    @pytest.mark.asyncio
    async def test_two_of_them_share_a_limit(self, limiter: RateLimiter) -> None:
        other = await self._made()
        decisions = await asyncio.gather(*(each.acquire("key", 10, 60) for each in (limiter, other) * 25))
        await other.close()
        assert sum(decision.allowed for decision in decisions) == 10
