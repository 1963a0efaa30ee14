"""The Redis queue on a cluster: all keys of a prefix in one slot, on whatever node has it."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter
from portico.adapters.store.redis.rate_limiter import RedisRateLimiter
from portico.adapters.store.redis.trigger_store import RedisTriggerStore
from portico.ports.job import Job, QueueStats
from tests.redis_servers import OwnRedis, free_port

pytestmark = [pytest.mark.asyncio, pytest.mark.server("redis")]

SLOTS = ((0, 5460), (5461, 10922), (10923, 16383))


@pytest_asyncio.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[list[OwnRedis]]:
    with ExitStack() as stack:
        nodes, buses = [], []
        for number in range(len(SLOTS)):
            folder = tmp_path / str(number)
            folder.mkdir()
            # the default is 10,000 above the other port, and may be none
            buses.append(free_port())
            options = ("--cluster-enabled", "yes", "--cluster-port", str(buses[-1]))
            nodes.append(stack.enter_context(OwnRedis(folder, *options)))
        for node, slots in zip(nodes, SLOTS, strict=True):
            await _cluster(node, "ADDSLOTSRANGE", *slots)
            await _cluster(node, "MEET", "127.0.0.1", nodes[0].port, buses[0])
        async with asyncio.timeout(20):
            for node in nodes:
                while "cluster_state:ok" not in str(await _cluster(node, "INFO")):
                    await asyncio.sleep(0.05)
        yield nodes


async def test_a_queue_lives_on_the_node_that_has_its_slot(nodes: list[OwnRedis]) -> None:
    # these prefixes are in slots of all three nodes, and each queue is opened by every node's URL
    for prefix in ("portico", "jobs", "other"):
        for node in nodes:
            await _work(node.url, prefix)
    sizes = []
    for node in nodes:
        async with Redis.from_url(node.url) as operator:
            sizes.append(await operator.dbsize())
    assert all(sizes), f"keys by node: {sizes}"


async def _work(url: str, prefix: str) -> None:
    queue = RedisJobQueueAdapter(url, prefix=prefix, require_durable=True)
    name = uuid.uuid4().hex
    waiting = asyncio.create_task(queue.dequeue(name, timeout=10))
    jobs = [_job(name, priority=priority) for priority in (0, 1, 2)]
    await queue.enqueue_many(jobs)
    first = await asyncio.wait_for(waiting, 5)
    assert first is not None
    assert (await queue.enqueue(_job(name, metadata={"idempotency_key": "k"}))).id == (
        await queue.enqueue(_job(name, metadata={"idempotency_key": "k"}))
    ).id
    assert await queue.reject(first.id)
    claimed = await queue.dequeue_many(name, 10, timeout=0)
    assert [each.priority for each in claimed] == [2, 1, 0, 0]
    assert await queue.heartbeat() == frozenset()
    assert all(await queue.acknowledge_many([each.id for each in claimed[:3]]))
    await queue.requeue_expired()
    assert await queue.get_queue_stats(name) == QueueStats(name, running_count=1, completed_count=3)
    assert len(await queue.list_jobs(queue_name=name)) == 4
    store, limiter = RedisTriggerStore(queue.store), RedisRateLimiter(queue.store)
    await store.put_many("trigger", {"a": 1, "b": 2})
    assert len(await store.entries("trigger")) == 2
    assert (await limiter.acquire(name, 1, 60)).allowed
    await limiter.close()
    await store.close()
    await queue.close()


def _job(queue_name: str, priority: int = 0, metadata: dict[str, str] | None = None) -> Job:
    return Job(
        id=uuid.uuid4(),
        queue_name=queue_name,
        job_type="work",
        payload={},
        priority=priority,
        metadata=dict(metadata or {}),
    )


async def _cluster(node: OwnRedis, *command: str | int) -> Any:
    # redis-py does not annotate the method
    operator: Any = Redis.from_url(node.url)
    async with operator:
        return await operator.execute_command("CLUSTER", *command)
