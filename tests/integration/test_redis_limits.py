"""What the public suite does not ask of limits and turns on Redis: what they cost, and what they leave behind."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter
from portico.ports.job import Job, JobStatus
from portico.ports.job_limits import ConcurrencyLimit, JobLimit, RateLimit
from tests.redis_servers import OwnRedis

pytestmark = pytest.mark.asyncio

ONE = ConcurrencyLimit(1, queue_name="default")
# places as schema 1 had them: no rank, eight bytes of sequence number
TO_SCHEMA_1 = """
local base = KEYS[1]
for i, place in ipairs(redis.call('ZRANGE', base .. ':ready:default', 0, -1)) do
  local id = string.sub(place, -16)
  local old = string.sub(place, 1, 8) .. struct.pack('>I8', i) .. id
  local state = cmsgpack.unpack(redis.call('HGET', base .. ':states', id))
  state[4], state[18], state[19] = old, nil, nil
  redis.call('HSET', base .. ':states', id, cmsgpack.pack(state))
  redis.call('ZREM', base .. ':ready:default', place)
  redis.call('ZADD', base .. ':ready:default', 0, old)
end
redis.call('SET', base .. ':schema', 1)
"""


@pytest_asyncio.fixture
async def server(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as server:
        yield server


def jobs(count: int, payload: dict[str, Any] | None = None, **fields: Any) -> list[Job]:
    known = {"queue_name": "default", "job_type": "work", "payload": payload or {}, **fields}
    return [Job(id=uuid.uuid4(), **known) for _ in range(count)]


async def keys_of(server: Redis, prefix: str, *kinds: str) -> list[bytes]:
    return [key for kind in kinds async for key in server.scan_iter(f"{{{prefix}}}:{kind}*", count=1000)]


async def cost_of_a_turn(queue: RedisJobQueueAdapter, server: Redis) -> int:
    """Return how many commands it takes to end a job and claim the next, scripts' own included."""
    [running] = await queue.list_jobs(status=JobStatus.RUNNING)
    await server.config_resetstat()
    assert await queue.acknowledge(running.id)
    assert len(await queue.dequeue_many("default", 5, timeout=0)) == 1
    return sum(each["calls"] for each in (await server.info("commandstats")).values())


async def test_parked_jobs_cost_a_claim_nothing(tmp_path: Path) -> None:
    with OwnRedis(tmp_path) as own:
        queue = RedisJobQueueAdapter(own.url, limits=[ONE])
        async with Redis.from_url(own.url) as server:
            await queue.enqueue_many(jobs(20))
            assert len(await queue.dequeue_many("default", 20, timeout=0)) == 1
            few = await cost_of_a_turn(queue, server)
            await queue.enqueue_many(jobs(3_000))
            assert await queue.dequeue("default", timeout=0) is None
            assert await cost_of_a_turn(queue, server) == few
        await queue.close()


@pytest.mark.parametrize(
    "limits", [[ONE], [ConcurrencyLimit(2, key="n")], [RateLimit(1000, per_seconds=0.2), ConcurrencyLimit(3)]]
)
async def test_limits_leave_nothing_behind(
    redis_url: str, redis_prefix: str, server: Redis, limits: list[JobLimit]
) -> None:
    queue = RedisJobQueueAdapter(redis_url, prefix=redis_prefix, limits=limits)
    await queue.enqueue_many([*jobs(10, {"n": 1}), *jobs(5, {"n": 2}), *jobs(5)])
    left = 20
    while left:
        claimed = await queue.dequeue_many("default", 4, timeout=5)
        await queue.acknowledge_many([job.id for job in claimed])
        left -= len(claimed)
    assert await keys_of(server, redis_prefix, "slots", "parked", "freed") == []
    assert all([await server.pttl(key) > 0 for key in await keys_of(server, redis_prefix, "holds")])
    await queue.close()


async def test_turns_leave_nothing_behind(redis_url: str, redis_prefix: str, server: Redis) -> None:
    queue = RedisJobQueueAdapter(redis_url, prefix=redis_prefix)
    for tenant in "aab":
        await queue.enqueue_many(jobs(2, metadata={"partition_key": tenant}))
    await queue.enqueue_many(jobs(2))
    assert len(await keys_of(server, redis_prefix, "turns")) == 1
    claimed = await queue.dequeue_many("default", 6, timeout=0)
    await queue.release(claimed[0].id)
    assert await queue.cancel_job(claimed[0].id)
    for waiting in await queue.list_jobs():
        await queue.delete_job(waiting.id)
    assert await keys_of(server, redis_prefix, "turns") == []
    await queue.close()


@pytest.mark.parametrize("leave", ["cancel_job", "delete_job"])
async def test_one_that_was_called_back_and_leaves_gives_its_turn_to_the_next(
    redis_url: str, redis_prefix: str, leave: str
) -> None:
    queue = RedisJobQueueAdapter(redis_url, prefix=redis_prefix, limits=[ONE])
    first, second, third = await queue.enqueue_many(jobs(3))
    assert len(await queue.dequeue_many("default", 3, timeout=0)) == 1
    await queue.acknowledge(first.id)
    assert await getattr(queue, leave)(second.id)
    [running] = await queue.dequeue_many("default", 3, timeout=0)
    assert running.id == third.id
    await queue.close()


async def test_a_hold_of_no_run_is_swept_away(redis_url: str, redis_prefix: str, server: Redis) -> None:
    queue = RedisJobQueueAdapter(redis_url, prefix=redis_prefix, limits=[ONE])
    first, second = await queue.enqueue_many(jobs(2))
    assert len(await queue.dequeue_many("default", 2, timeout=0)) == 1
    [holds] = await keys_of(server, redis_prefix, "holds")
    await server.zadd(holds, {uuid.uuid4().bytes + b"1": "inf"})
    await queue.acknowledge(first.id)
    assert await queue.dequeue("default", timeout=0) is None
    await queue.requeue_expired()
    running = await queue.dequeue("default", timeout=0)
    assert running is not None
    assert running.id == second.id
    await queue.close()


async def test_jobs_of_schema_1_keep_their_order_before_new_ones(
    redis_url: str, redis_prefix: str, server: Redis
) -> None:
    queue = RedisJobQueueAdapter(redis_url, prefix=redis_prefix)
    old = await queue.enqueue_many([*jobs(300), *jobs(1, priority=1)])
    await queue.close()
    await server.eval(TO_SCHEMA_1, 1, f"{{{redis_prefix}}}")
    new = await queue.enqueue_many([*jobs(1), *jobs(1, priority=1), *jobs(1, metadata={"partition_key": "a"})])
    assert await server.get(f"{{{redis_prefix}}}:schema") == b"2"
    claimed = [job.id for _ in range(2) for job in await queue.dequeue_many("default", 250, timeout=0)]
    order = [old[300], new[1], *old[:300], new[0], new[2]]
    assert claimed == [job.id for job in order]
    assert all(await queue.acknowledge_many(claimed))
    await queue.close()
