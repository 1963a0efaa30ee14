"""What the public suites do not ask of Redis: rate limits, bounded calls, connections, upkeep."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter
from portico.adapters.store.redis.rate_limiter import RedisRateLimiter
from portico.adapters.store.redis.store import RedisStore
from portico.exceptions import ConfigurationError
from portico.ports.job import Job, JobStatus
from portico.testing import FakeClock
from tests.redis_servers import OwnRedis

pytestmark = pytest.mark.asyncio

START = datetime(2030, 1, 1, tzinfo=UTC)


def job(**fields: Any) -> Job:
    known: dict[str, Any] = {"id": uuid.uuid4(), "queue_name": "default", "job_type": "work", "payload": {}}
    return Job(**{**known, **fields})


async def test_no_window_has_more_than_the_limit_and_the_wait_is_exact(redis_url: str, redis_prefix: str) -> None:
    clock = FakeClock(START)
    limits = RedisRateLimiter(RedisStore(redis_url, prefix=redis_prefix, clock=clock))
    assert [(await limits.acquire("k", 2, 60)).remaining for _ in range(2)] == [1, 0]
    await clock.advance(20)
    refused = await limits.acquire("k", 2, 60)
    assert (refused.allowed, refused.retry_after_seconds) == (False, 40.0)
    assert (await limits.acquire("other", 2, 60)).allowed
    await clock.advance(39.999999)
    assert not (await limits.acquire("k", 2, 60)).allowed
    await clock.advance(0.000001)
    assert (await limits.acquire("k", 2, 60)).allowed
    # a limit that is lowered is met when all but one are free
    refused = await limits.acquire("k", 1, 60)
    assert not refused.allowed
    await limits.close()


async def test_a_rate_limit_holds_among_processes_and_leaves_no_key_behind(redis_url: str, redis_prefix: str) -> None:
    limiters = [RedisRateLimiter(RedisStore(redis_url, prefix=redis_prefix)) for _ in range(3)]
    decisions = await asyncio.gather(*(each.acquire("k", 7, 0.2) for each in limiters * 10))
    assert sum(decision.allowed for decision in decisions) == 7
    async with Redis.from_url(redis_url) as operator:
        assert 0 < await operator.pttl(f"{{{redis_prefix}}}:rate:k") <= 1200
    for limiter in limiters:
        await limiter.close()


@pytest.mark.parametrize(("limit", "window"), [(0, 1.0), (1, 0.0), (1, float("nan"))])
async def test_a_rate_limit_that_is_none_is_refused(redis_url: str, limit: int, window: float) -> None:
    with pytest.raises(ConfigurationError):
        await RedisRateLimiter(RedisStore(redis_url)).acquire("k", limit, window)


async def test_more_jobs_than_one_call_takes_keep_their_order(redis_url: str, redis_prefix: str) -> None:
    queue = RedisJobQueueAdapter(redis_url, prefix=redis_prefix)
    jobs = [job(payload={"n": number}) for number in range(1234)]
    assert [each.id for each in await queue.enqueue_many(jobs)] == [each.id for each in jobs]
    claimed: list[Job] = []
    while batch := await queue.dequeue_many("default", 5000, timeout=0):
        claimed += batch
    assert [each.id for each in claimed] == [each.id for each in jobs]
    assert await queue.heartbeat() == frozenset()
    assert all(await queue.acknowledge_many([each.id for each in claimed]))
    assert (await queue.get_queue_stats("default")).completed_count == 1234
    assert [each.id for each in await queue.list_jobs(limit=1200)] == [each.id for each in jobs[:33:-1]]
    await queue.close()


async def test_a_list_looks_as_far_as_it_must(redis_url: str, redis_prefix: str) -> None:
    queue = RedisJobQueueAdapter(redis_url, prefix=redis_prefix)
    oldest = await queue.enqueue(job(job_type="rare"))
    await queue.enqueue_many([job() for _ in range(2100)])
    assert [each.id for each in await queue.list_jobs(job_type="rare", limit=1)] == [oldest.id]
    assert await queue.list_jobs(status=JobStatus.FAILED) == []
    await queue.close()


async def test_more_expired_leases_than_one_call_takes_come_back(redis_url: str, redis_prefix: str) -> None:
    clock = FakeClock(START)
    queue = RedisJobQueueAdapter(redis_url, prefix=redis_prefix, clock=clock)
    await queue.enqueue_many([job(queue_name=f"queue-{number % 3}") for number in range(1503)])
    for name in [f"queue-{number}" for number in range(3)] * 2:
        assert len(await queue.dequeue_many(name, 1000, timeout=0)) == 250
    await clock.advance(61)
    assert await queue.requeue_expired() == 1500
    assert await queue.requeue_expired() == 0
    assert (await queue.get_queue_stats("queue-1")).pending_count == 501
    await queue.close()


async def test_a_retried_job_keeps_its_place_among_those_that_were_retried_later(
    redis_url: str, redis_prefix: str
) -> None:
    queue = RedisJobQueueAdapter(redis_url, prefix=redis_prefix)
    jobs = await queue.enqueue_many([job(payload={"n": number}) for number in range(5)])
    claimed = await queue.dequeue_many("default", 4, timeout=0)
    for each in reversed(claimed):
        await queue.reject(each.id)
    again = await queue.dequeue_many("default", 5, timeout=0)
    assert [each.id for each in again] == [each.id for each in jobs]
    await queue.close()


@pytest.mark.server("redis")
async def test_cancelled_waits_and_closed_queues_leave_no_connection(tmp_path: Path) -> None:
    with OwnRedis(tmp_path) as server:
        async with Redis.from_url(server.url) as operator:
            queue = RedisJobQueueAdapter(server.url)
            await queue.initialize()
            for pause in (0, 0, 0.001, 0.002, 0.005, 0.01):
                waits = [asyncio.create_task(queue.dequeue("default", timeout=30)) for _ in range(5)]
                await asyncio.sleep(pause)
                for wait in waits:
                    wait.cancel()
                await asyncio.gather(*waits, return_exceptions=True)
            # one for calls, one for the bell, and the operator's
            assert len(await operator.client_list()) <= 3
            await queue.close()
            async with asyncio.timeout(5):
                while len(await operator.client_list()) > 1:
                    await asyncio.sleep(0.01)


async def test_a_job_is_claimed_soon_after_it_is_due(redis_url: str, redis_prefix: str) -> None:
    queue = RedisJobQueueAdapter(redis_url, prefix=redis_prefix)
    other = RedisJobQueueAdapter(redis_url, prefix=redis_prefix)
    waiting = asyncio.create_task(queue.dequeue("default", timeout=30))
    await asyncio.sleep(0.05)
    # the sooner one comes last, and from another process
    now = datetime.now(UTC)
    await other.enqueue(job(scheduled_at=now + timedelta(seconds=20)))
    soon = await other.enqueue(job(scheduled_at=now + timedelta(seconds=0.3)))
    claimed = await asyncio.wait_for(waiting, 5)
    assert claimed is not None
    assert claimed.id == soon.id
    assert timedelta(seconds=0.3) <= datetime.now(UTC) - now < timedelta(seconds=0.6)
    await queue.close()
    await other.close()


async def test_a_key_whose_job_was_deleted_before_schema_2_answers_with_id_and_status(
    redis_url: str, redis_prefix: str
) -> None:
    queue = RedisJobQueueAdapter(redis_url, prefix=redis_prefix)
    first = await queue.enqueue(job(metadata={"idempotency_key": "k"}))
    assert await queue.delete_job(first.id)
    left = "redis.call('HSET', KEYS[1], 'k', cmsgpack.pack({ARGV[1], 'failed', 2^52}))"
    async with Redis.from_url(redis_url) as server:
        await server.eval(left, 1, f"{{{redis_prefix}}}:keys:default", first.id.bytes)
    again = await queue.enqueue(job(metadata={"idempotency_key": "k"}))
    assert (again.id, again.status, again.is_duplicate) == (first.id, JobStatus.FAILED, True)
    await queue.close()


@pytest.mark.parametrize("answer", ["reject", "release"])
async def test_a_worker_whose_clock_is_wrong_waits_as_long_as_others(
    redis_url: str, redis_prefix: str, answer: str
) -> None:
    queue = RedisJobQueueAdapter(redis_url, prefix=redis_prefix)
    await queue.initialize()
    wrong = FakeClock(datetime.now(UTC) + timedelta(minutes=10))
    queue._clock._host = wrong  # type: ignore[attr-defined] # - as if the machine's clock were wrong
    stored = await queue.enqueue(job())
    assert await queue.dequeue("default", timeout=0) is not None
    later = wrong.now() + timedelta(seconds=0.3)
    if answer == "reject":
        assert await queue.reject(stored.id, retry_at=later)
    else:
        assert await queue.release(stored.id, available_at=later)
    assert await queue.dequeue("default", timeout=0) is None
    await asyncio.sleep(0.4)
    assert await queue.dequeue("default", timeout=0) is not None
    await queue.close()
