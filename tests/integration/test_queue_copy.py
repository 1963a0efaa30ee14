"""Copying between stores of every kind, and by a process that is killed."""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter
from portico.kits.job import copy_queue
from portico.ports.job import Job
from portico.ports.job_queue import JobQueueAdapter

pytestmark = pytest.mark.asyncio

COPY_IN_SMALL_STEPS = """
import asyncio, sys
from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.kits.job import copy_queue
source, target = (DatabaseJobQueueAdapter(url) for url in sys.argv[1:])
asyncio.run(copy_queue(source, target, page_size=5))
"""


@pytest_asyncio.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[JobQueueAdapter]:
    queue = DatabaseJobQueueAdapter(f"sqlite:///{tmp_path / 'jobs.db'}")
    yield queue
    await queue.close()


@pytest_asyncio.fixture
async def postgresql(postgres_url: str, postgres_schema: str) -> AsyncIterator[JobQueueAdapter]:
    queue = DatabaseJobQueueAdapter(postgres_url, schema=postgres_schema)
    yield queue
    await queue.close()


@pytest_asyncio.fixture
async def redis(redis_url: str, redis_prefix: str) -> AsyncIterator[JobQueueAdapter]:
    queue = RedisJobQueueAdapter(redis_url, prefix=redis_prefix)
    yield queue
    await queue.close()


def new_job(**metadata: str) -> Job:
    return Job(id=uuid.uuid4(), queue_name="default", job_type="a", payload={"text": "ä"}, metadata=dict(metadata))


async def require_everything_comes_over_in_order(source: JobQueueAdapter, target: JobQueueAdapter) -> None:
    finished = await source.enqueue(new_job(idempotency_key="finished"))
    await source.dequeue("default", timeout=0)
    await source.acknowledge(finished.id)
    retried = await source.enqueue(new_job())
    await source.dequeue("default", timeout=0)
    await source.reject(retried.id, error_message="no luck")
    waiting = await source.enqueue_many([new_job(idempotency_key=f"k{number}") for number in range(25)])

    done = await copy_queue(source, target, page_size=7)
    again = await copy_queue(source, target, page_size=7)

    assert (done.unfinished, done.copied, done.superseded, done.keys) == (26, 26, 0, 1)
    assert (again.unfinished, again.copied, again.superseded, again.keys) == (26, 0, 0, 1)
    for job in (finished, waiting[0]):
        stored = await target.enqueue(new_job(**job.metadata))
        assert (stored.id, stored.is_duplicate) == (job.id, True)
    assert await target.get_job(waiting[0].id) == waiting[0]
    claimed = await target.dequeue_many("default", 100, timeout=0)
    assert [job.id for job in claimed] == [retried.id, *(job.id for job in waiting)]


async def test_everything_moves_from_memory_to_sqlite(sqlite: JobQueueAdapter) -> None:
    await require_everything_comes_over_in_order(MemoryJobQueueAdapter(), sqlite)


async def test_everything_moves_from_sqlite_to_memory(sqlite: JobQueueAdapter) -> None:
    await require_everything_comes_over_in_order(sqlite, MemoryJobQueueAdapter())


async def test_everything_moves_from_sqlite_to_postgresql(sqlite: JobQueueAdapter, postgresql: JobQueueAdapter) -> None:
    await require_everything_comes_over_in_order(sqlite, postgresql)


async def test_everything_moves_from_postgresql_to_sqlite(sqlite: JobQueueAdapter, postgresql: JobQueueAdapter) -> None:
    await require_everything_comes_over_in_order(postgresql, sqlite)


async def test_everything_moves_from_sqlite_to_redis(sqlite: JobQueueAdapter, redis: JobQueueAdapter) -> None:
    await require_everything_comes_over_in_order(sqlite, redis)


async def test_everything_moves_from_redis_to_sqlite(sqlite: JobQueueAdapter, redis: JobQueueAdapter) -> None:
    await require_everything_comes_over_in_order(redis, sqlite)


async def test_a_copy_whose_process_was_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / name}.db" for name in ("from", "to")]
    source, target = (DatabaseJobQueueAdapter(url) for url in urls)
    try:
        jobs = await source.enqueue_many([new_job(idempotency_key=f"k{number}") for number in range(3_000)])
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", COPY_IN_SMALL_STEPS, *urls)
        while (await target.get_queue_stats("default")).pending_count < 50:
            assert process.returncode is None, "it ended before it could be killed"
            await asyncio.sleep(0.005)
        process.kill()
        await process.wait()
        there = (await target.get_queue_stats("default")).pending_count
        assert there < len(jobs), "it was done before it could be killed"

        done = await copy_queue(source, target)

        assert (done.unfinished, done.copied, done.superseded) == (len(jobs), len(jobs) - there, 0)
        claimed = await target.dequeue_many("default", len(jobs) + 1, timeout=0)
        assert [job.id for job in claimed] == [job.id for job in jobs]
    finally:
        await source.close()
        await target.close()
