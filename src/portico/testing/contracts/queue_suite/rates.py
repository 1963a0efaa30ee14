"""How many jobs start in a while."""

import asyncio
import random
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from portico.ports.job import Job
from portico.ports.job_limits import ConcurrencyLimit, RateLimit
from portico.ports.job_queue import QueueCapability
from portico.testing.clock import FakeClock
from portico.testing.contracts.queue_suite.foundation import QUEUE, OpenLimited, QueueSuite, claim, new_job, require


class Rates(QueueSuite):
    """Limits of starts; most tests need a `FakeClock`."""

    @pytest.fixture
    def moved_clock(self) -> FakeClock:
        """Return the clock if it can be moved."""
        if not isinstance(self.clock, FakeClock):
            pytest.skip("counting starts needs a clock that can be moved")
        return self.clock

    @pytest.mark.asyncio
    async def test_no_more_jobs_start_than_the_rate_allows(self, limited: OpenLimited, moved_clock: FakeClock) -> None:
        queue = await limited(RateLimit(2, per_seconds=10, queue_name=QUEUE))
        jobs = await queue.enqueue_many([new_job() for _ in range(5)])
        assert (await claim(queue)).id == jobs[0].id
        await moved_clock.advance(4)
        assert (await claim(queue)).id == jobs[1].id
        # that a run ended gives no start back
        assert await queue.acknowledge(jobs[0].id)
        assert await queue.dequeue(QUEUE, timeout=0) is None
        await moved_clock.advance(5.999)
        assert await queue.dequeue(QUEUE, timeout=0) is None
        await moved_clock.advance(0.001)
        assert (await claim(queue)).id == jobs[2].id
        assert await queue.dequeue(QUEUE, timeout=0) is None
        await moved_clock.advance(4)
        assert (await claim(queue)).id == jobs[3].id
        assert await queue.dequeue(QUEUE, timeout=0) is None

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.asyncio
    async def test_no_window_ever_sees_more_starts(
        self, limited: OpenLimited, moved_clock: FakeClock, seed: int
    ) -> None:
        chance = random.Random(seed)  # noqa: S311 - a reproducible order, no secret
        queue = await limited(RateLimit(3, per_seconds=1.5, key="n"), RateLimit(40, per_seconds=60))
        await queue.enqueue_many([new_job(payload={"n": chance.randint(1, 2)}) for _ in range(60)])
        started: list[tuple[datetime, int]] = []
        idle_seconds = 0.0
        while len(started) < 60:
            jobs = await queue.dequeue_many(QUEUE, chance.randint(1, 5), timeout=0)
            await queue.acknowledge_many([job.id for job in jobs])
            started += [(moved_clock.now(), job.payload["n"]) for job in jobs]
            step = chance.choice([0.1, 0.25, 0.7])
            idle_seconds = 0.0 if jobs else idle_seconds + step
            assert idle_seconds <= 61, "jobs are left, and none may start"
            await moved_clock.advance(step)
        for n in (1, 2):
            _assert_rate([moment for moment, value in started if value == n], 3, 1.5)
        _assert_rate([moment for moment, _ in started], 40, 60)

    @pytest.mark.asyncio
    async def test_a_run_that_is_repeated_counts_again(self, limited: OpenLimited, moved_clock: FakeClock) -> None:
        queue = await limited(RateLimit(1, per_seconds=10, job_type="suite.work"))
        job = await queue.enqueue(new_job())
        await claim(queue)
        assert await queue.reject(job.id)
        assert await queue.dequeue(QUEUE, timeout=0) is None
        await moved_clock.advance(10)
        assert (await claim(queue)).id == job.id

    @pytest.mark.asyncio
    async def test_a_waiting_claim_gets_the_job_when_the_window_is_over(
        self, limited: OpenLimited, moved_clock: FakeClock
    ) -> None:
        queue = await limited(RateLimit(1, per_seconds=10, queue_name=QUEUE))
        await queue.enqueue_many([new_job(), new_job()])
        await claim(queue)
        begun = moved_clock.now()
        waiting = asyncio.create_task(queue.dequeue(QUEUE, timeout=30))
        await self.until_waiting(waiting)
        claimed = await _advance_until_done(moved_clock, waiting)
        assert claimed is not None
        assert claimed.started_at is not None
        assert claimed.started_at - begun == timedelta(seconds=10)

    @pytest.mark.asyncio
    async def test_a_waiting_claim_gets_the_job_in_real_time_too(self, limited: OpenLimited) -> None:
        if isinstance(self.clock, FakeClock):
            pytest.skip("real time is another suite's")
        queue = await limited(RateLimit(1, per_seconds=0.5, queue_name=QUEUE))
        await queue.enqueue_many([new_job(), new_job(), new_job()])
        jobs = [await queue.dequeue(QUEUE, timeout=30) for _ in range(3)]
        starts = [job.started_at for job in jobs if job is not None and job.started_at is not None]
        assert len(starts) == 3
        assert all(later - earlier >= timedelta(seconds=0.5) for earlier, later in pairwise(starts))

    @pytest.mark.asyncio
    async def test_a_rate_and_a_limit_of_what_runs_go_together(
        self, limited: OpenLimited, moved_clock: FakeClock
    ) -> None:
        queue = await limited(RateLimit(2, per_seconds=10), ConcurrencyLimit(1, key="n"))
        jobs = await queue.enqueue_many([new_job(payload={"n": n}) for n in (1, 1, 2, 3)])
        assert [job.id for job in await queue.dequeue_many(QUEUE, 10, timeout=0)] == [jobs[0].id, jobs[2].id]
        await moved_clock.advance(10)
        assert [job.id for job in await queue.dequeue_many(QUEUE, 10, timeout=0)] == [jobs[3].id]
        assert await queue.acknowledge(jobs[0].id)
        assert [job.id for job in await queue.dequeue_many(QUEUE, 10, timeout=0)] == [jobs[1].id]

    @pytest.mark.asyncio
    async def test_what_is_parked_for_a_rate_can_be_called_off(
        self, limited: OpenLimited, moved_clock: FakeClock
    ) -> None:
        queue = await limited(RateLimit(1, per_seconds=10))
        require(queue, QueueCapability.DELETE_JOB)
        jobs = await queue.enqueue_many([new_job() for _ in range(4)])
        await claim(queue)
        assert await queue.dequeue(QUEUE, timeout=0) is None
        assert await queue.cancel_job(jobs[1].id)
        assert await queue.delete_job(jobs[2].id)
        await moved_clock.advance(10)
        assert (await claim(queue)).id == jobs[3].id

    @pytest.mark.asyncio
    async def test_upkeep_forgets_no_start_that_counts(self, limited: OpenLimited, moved_clock: FakeClock) -> None:
        queue = await limited(RateLimit(1, per_seconds=3_600))
        await queue.enqueue_many([new_job(), new_job()])
        await queue.acknowledge((await claim(queue)).id)
        await moved_clock.advance(3_599)
        await queue.requeue_expired()
        await queue.prune()
        assert await queue.dequeue(QUEUE, timeout=0) is None
        await moved_clock.advance(1)
        await claim(queue)


async def _advance_until_done(clock: FakeClock, waiting: asyncio.Task[Job | None]) -> Job | None:
    """Move on second by second, so that it shows when the task was done; stores get real time to answer."""
    for _ in range(30):
        if waiting.done():
            break
        await clock.advance(1)
        await asyncio.wait({waiting}, timeout=0.2)
    return await waiting


def _assert_rate(moments: list[datetime], size: int, window_seconds: float) -> None:
    spans = [later - earlier for earlier, later in zip(moments, moments[size:], strict=False)]
    assert all(span >= timedelta(seconds=window_seconds) for span in spans)
