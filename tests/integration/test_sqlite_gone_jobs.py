"""What an SQLite file keeps of jobs that are gone, and how it lists those that failed."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.ports.job import Job, JobStatus
from portico.testing import FakeClock

pytestmark = pytest.mark.asyncio


def job(n: int, **metadata: object) -> Job:
    return Job(id=uuid.uuid4(), queue_name="default", job_type="gone.work", payload={"n": n}, metadata=metadata)


@pytest_asyncio.fixture
async def queue(tmp_path: Path) -> AsyncIterator[DatabaseJobQueueAdapter]:
    clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))
    queue = DatabaseJobQueueAdapter(f"sqlite:///{tmp_path}/jobs.db", clock=clock, idempotency_seconds=3_600)
    await queue.initialize()
    yield queue
    await queue.close()


async def left(queue: DatabaseJobQueueAdapter) -> list[tuple[object, ...]]:
    return await queue.store.read(
        lambda connection: connection.execute("SELECT payload, result FROM portico_gone_job").fetchall()
    )


async def test_nothing_of_what_was_in_a_deleted_job_stays_in_the_file(queue: DatabaseJobQueueAdapter) -> None:
    first = await queue.enqueue(job(1, idempotency_key="k"))
    await queue.dequeue("default", timeout=0)
    await queue.acknowledge(first.id, {"n": 1})
    await queue.delete_job(first.id)
    assert await left(queue) == [(None, None)]


async def test_a_job_without_a_key_leaves_nothing(queue: DatabaseJobQueueAdapter) -> None:
    stored = await queue.enqueue(job(1))
    await queue.delete_job(stored.id)
    assert await left(queue) == []


async def test_what_is_left_of_a_job_goes_with_its_key(queue: DatabaseJobQueueAdapter) -> None:
    clock = queue._clock
    assert isinstance(clock, FakeClock)
    stored = await queue.enqueue(job(1, idempotency_key="k"))
    await queue.delete_job(stored.id)
    await clock.advance(3_599)
    await queue.requeue_expired()
    assert len(await left(queue)) == 1
    await clock.advance(2)
    await queue.requeue_expired()
    assert await left(queue) == []


async def test_failures_are_listed_in_pages(queue: DatabaseJobQueueAdapter) -> None:
    jobs = await queue.enqueue_many([job(number) for number in range(9)])
    for claimed in await queue.dequeue_many("default", 9, timeout=0):
        if claimed.payload["n"] % 2:
            await queue.acknowledge(claimed.id)
        else:
            await queue.reject(claimed.id, requeue=False, error_message=f"failed {claimed.payload['n']}")
    first = await queue.list_jobs(status=JobStatus.FAILED, limit=2)
    rest = await queue.list_jobs(status=JobStatus.FAILED, after=first[-1].id)
    assert [each.id for each in [*first, *rest]] == [each.id for each in reversed(jobs[::2])]
    assert [each.payload for each in await queue.list_jobs(status=JobStatus.FAILED, error_contains="6")] == [{"n": 6}]
    assert await queue.list_jobs(status=JobStatus.FAILED, queue_name="other") == []
    assert await queue.list_jobs(status=JobStatus.DEAD_LETTER) == []
