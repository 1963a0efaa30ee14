"""Batches on Redis that are larger than one call: all of their jobs, or none."""

import asyncio
import signal
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter
from portico.exceptions import DatabaseError
from portico.ports.job import Job
from tests.redis_servers import OwnRedis

pytestmark = pytest.mark.asyncio

# three parts to put down, and three to store
COUNT = 600
PRODUCER = """
import asyncio, sys, uuid
from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter
from portico.ports.job import Job
from portico.utils.logging import configure_logging

async def produce(url, prefix):
    configure_logging(level="error")
    queue = RedisJobQueueAdapter(url, prefix=prefix)
    await queue.initialize()
    print("ready", flush=True)
    while True:
        fresh = [Job(id=uuid.uuid4(), queue_name="default", job_type="work", payload={}) for _ in range(3_000)]
        await queue.enqueue_many(fresh)

asyncio.run(produce(*sys.argv[1:]))
"""


class DyingQueue(RedisJobQueueAdapter):
    """Reaches the server for so many calls more, as a process does that is killed then."""

    def die_after(self, calls: int) -> None:
        left = iter(range(calls))
        run = self.store.run

        async def run_while_alive(*arguments: Any, **options: Any) -> Any:
            if next(left, None) is None:
                raise KilledError
            return await run(*arguments, **options)

        self.store.run = run_while_alive  # type: ignore[method-assign] # - the place where a process is cut off


class KilledError(Exception):
    pass


def jobs(count: int = COUNT, **metadata: str) -> list[Job]:
    return [
        Job(id=uuid.uuid4(), queue_name="default", job_type="work", payload={"n": n}, metadata=dict(metadata))
        for n in range(count)
    ]


async def pending(queue: RedisJobQueueAdapter) -> int:
    return (await queue.get_queue_stats("default")).pending_count


async def test_a_large_batch_is_stored_in_order_and_leaves_nothing_behind(redis_url: str, redis_prefix: str) -> None:
    queue = RedisJobQueueAdapter(redis_url, prefix=redis_prefix)
    first = (await queue.enqueue_many(jobs(1, idempotency_key="k")))[0]
    batch = [*jobs(), *jobs(1, idempotency_key="k"), *jobs()]
    stored = await queue.enqueue_many(batch)
    assert [job.is_duplicate for job in stored] == [False] * COUNT + [True] + [False] * COUNT
    assert stored[COUNT].id == first.id
    claimed = [job.id for _ in range(6) for job in await queue.dequeue_many("default", 250, timeout=0)]
    assert claimed == [first.id, *(job.id for job in batch if not job.metadata)]
    await queue.close()
    async with Redis.from_url(redis_url) as server:
        assert not await server.exists(f"{{{redis_prefix}}}:batches")
        left = [key async for key in server.scan_iter(f"{{{redis_prefix}}}:staged:*", count=1000)]
        assert all([0 < await server.pttl(key) <= 60_000 for key in left])


@pytest.mark.parametrize("calls", range(7))
async def test_a_producer_that_dies_leaves_all_of_its_batch_or_nothing(
    redis_url: str, redis_prefix: str, calls: int
) -> None:
    producer = DyingQueue(redis_url, prefix=redis_prefix)
    await producer.initialize()
    producer.die_after(calls)
    answers = await asyncio.gather(producer.enqueue_many(jobs()), return_exceptions=True)
    assert isinstance(answers[0], KilledError) == (calls < 6)
    other = RedisJobQueueAdapter(redis_url, prefix=redis_prefix)
    await other.requeue_expired()
    assert await pending(other) == (COUNT if calls > 3 else 0)
    await other.requeue_expired()
    assert await pending(other) == (COUNT if calls > 3 else 0)
    claimed = [job.payload["n"] for _ in range(3) for job in await other.dequeue_many("default", 250, timeout=0)]
    assert claimed == sorted(claimed)
    async with Redis.from_url(redis_url) as server:
        assert not await server.exists(f"{{{redis_prefix}}}:batches")
        left = [key async for key in server.scan_iter(f"{{{redis_prefix}}}:staged:*", count=1000)]
        assert all([await server.pttl(key) > 0 for key in left])
    await other.close()
    del producer.store.run
    await producer.close()


async def test_a_batch_that_another_process_goes_on_with_is_answered_as_the_producers_own(
    redis_url: str, redis_prefix: str
) -> None:
    producer = DyingQueue(redis_url, prefix=redis_prefix)
    other = RedisJobQueueAdapter(redis_url, prefix=redis_prefix)
    await producer.initialize()
    run = producer.store.run

    async def run_late(operation: str, *arguments: Any, **options: Any) -> Any:
        answer = await run(operation, *arguments, **options)
        if operation == "batch_apply":
            await other.requeue_expired()
        return answer

    producer.store.run = run_late  # type: ignore[method-assign] # - the other process goes on between two calls
    stored = await producer.enqueue_many(jobs())
    assert not any(job.is_duplicate for job in stored)
    assert await pending(other) == COUNT
    await other.close()
    await producer.close()


@pytest.mark.parametrize("ticks", [0, 1, 2, 3, 5, 10, 20, 40, 80, 200])
async def test_a_caller_that_is_cancelled_leaves_all_of_its_batch_or_nothing(
    redis_url: str, redis_prefix: str, ticks: int
) -> None:
    queue = RedisJobQueueAdapter(redis_url, prefix=redis_prefix)
    await queue.initialize()
    creating = asyncio.create_task(queue.enqueue_many(jobs()))
    for _ in range(ticks):
        await asyncio.sleep(0)
    creating.cancel()
    await asyncio.gather(creating, return_exceptions=True)
    await queue.close()
    assert await pending(queue) in (0, COUNT)
    await queue.close()


async def test_a_batch_that_a_full_server_cannot_hold_is_not_begun(tmp_path: Path) -> None:
    with OwnRedis(tmp_path) as server:
        queue = RedisJobQueueAdapter(server.url)
        await queue.initialize()
        async with Redis.from_url(server.url) as operator:
            used = (await operator.info("memory"))["used_memory"]
            await operator.config_set("maxmemory", used + 1_000_000)
            with pytest.raises(DatabaseError, match="out of memory"):
                await queue.enqueue_many(jobs(20_000))
            await operator.config_set("maxmemory", 0)
        await queue.requeue_expired()
        assert await pending(queue) == 0
        await queue.close()


@pytest.mark.parametrize("seconds", [0.02, 0.06, 0.1, 0.17, 0.3])
async def test_a_producer_that_is_killed_leaves_whole_batches(
    redis_url: str, redis_prefix: str, seconds: float
) -> None:
    producer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PRODUCER, redis_url, redis_prefix, stdout=asyncio.subprocess.PIPE
    )
    assert producer.stdout is not None
    assert await producer.stdout.readline() == b"ready\n"
    await asyncio.sleep(seconds)
    producer.send_signal(signal.SIGKILL)
    await producer.wait()
    queue = RedisJobQueueAdapter(redis_url, prefix=redis_prefix)
    await queue.requeue_expired()
    assert await pending(queue) % 3_000 == 0
    await queue.close()
