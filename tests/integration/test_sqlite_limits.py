"""Limits in an SQLite file: what the suite of every queue cannot see."""

import asyncio
import sqlite3
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.store.sqlite.connection_thread import MANY_ROWS
from portico.ports.job import Job
from portico.ports.job_limits import ConcurrencyLimit, JobLimit, RateLimit
from portico.testing import FakeClock
from tests.integration.sqlite_process import LIMITED, MOST_RUNNING

SCRIPT = Path(__file__).with_name("sqlite_process.py")
QUEUE = "default"
pytestmark = pytest.mark.asyncio


def job(job_type: str = "limited", **payload: object) -> Job:
    return Job(id=uuid.uuid4(), queue_name=QUEUE, job_type=job_type, payload=payload)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/jobs.db"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2030, 1, 1, tzinfo=UTC))


@pytest_asyncio.fixture
async def queue(url: str, clock: FakeClock) -> AsyncIterator[DatabaseJobQueueAdapter]:
    limits: list[JobLimit] = [ConcurrencyLimit(1, job_type="limited"), RateLimit(1, per_seconds=60, key="customer")]
    queue = DatabaseJobQueueAdapter(url, clock=clock, limits=limits)
    await queue.initialize()
    yield queue
    await queue.close()


async def child(role: str, url: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, str(SCRIPT), role, url, stdout=asyncio.subprocess.PIPE)


async def rows(queue: DatabaseJobQueueAdapter, table: str) -> int:
    counted: list[int] = await queue.store.read(
        lambda connection: connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    )
    return counted[0]


async def steps_of_a_claim(queue: DatabaseJobQueueAdapter) -> int:
    steps: list[None] = []

    def watch(handler: Callable[[], None] | None) -> Callable[[sqlite3.Connection], None]:
        return lambda connection: connection.set_progress_handler(handler, 10)

    await queue.store.write(watch(lambda: steps.append(None)))
    assert await queue.dequeue(QUEUE, timeout=0) is None
    await queue.store.write(watch(None))
    return len(steps)


async def test_parked_jobs_cost_a_claim_nothing(queue: DatabaseJobQueueAdapter) -> None:
    await queue.enqueue_many([job(), job()])
    await queue.dequeue_many(QUEUE, 2, timeout=0)
    steps_beside_one = await steps_of_a_claim(queue)
    await queue.enqueue_many([job() for _ in range(5_000)])
    assert await queue.dequeue(QUEUE, timeout=0) is None
    assert await steps_of_a_claim(queue) < steps_beside_one * 1.5


async def test_a_long_line_is_parked_in_several_transactions(queue: DatabaseJobQueueAdapter) -> None:
    await queue.enqueue_many([job() for _ in range(5_000)])
    last = await queue.enqueue(job("free"))
    statements: list[str] = []
    await queue.store.write(lambda connection: connection.set_trace_callback(statements.append))
    claimed = await queue.dequeue_many(QUEUE, 2, timeout=0)
    assert await queue.dequeue(QUEUE, timeout=0) == await queue.get_job(last.id)
    await queue.store.write(lambda connection: connection.set_trace_callback(None))
    assert [each.job_type for each in claimed] == ["limited"]
    assert 4 <= statements.count("BEGIN IMMEDIATE") <= 12


async def test_what_no_job_needs_any_more_is_forgotten(queue: DatabaseJobQueueAdapter, clock: FakeClock) -> None:
    await queue.enqueue_many([job(customer=number) for number in range(3)])
    while (claimed := await queue.dequeue(QUEUE, timeout=0)) is not None:
        await queue.acknowledge(claimed.id)
    assert await rows(queue, "portico_slot_hold") == 3
    assert await rows(queue, "portico_slot") == 4
    await clock.advance(60)
    await queue.requeue_expired()
    assert await rows(queue, "portico_slot_hold") == 0
    assert await rows(queue, "portico_slot") == 0


async def test_a_hold_whose_run_is_over_is_swept(queue: DatabaseJobQueueAdapter) -> None:
    first, second = await queue.enqueue_many([job(), job()])
    await queue.dequeue_many(QUEUE, 2, timeout=0)
    # as a program does that knows nothing of limits
    await queue.store.write(
        lambda connection: (
            connection.execute(
                "UPDATE portico_job SET state = 3, status = 'completed' WHERE id = ?", (first.id.bytes,)
            ).rowcount
        )
    )
    assert await queue.dequeue(QUEUE, timeout=0) is None
    await queue.requeue_expired()
    claimed = await queue.dequeue(QUEUE, timeout=0)
    assert claimed is not None
    assert claimed.id == second.id


async def test_a_killed_workers_slots_are_free_again(url: str) -> None:
    queue = DatabaseJobQueueAdapter(url, limits=LIMITED)
    stored = await queue.enqueue_many(
        [Job(id=uuid.uuid4(), queue_name="limited", job_type="t", payload={}) for _ in range(MOST_RUNNING + 2)]
    )
    worker = await child("hold_limited", url)
    assert worker.stdout is not None
    said = [(await worker.stdout.readline()).decode().strip() for _ in range(MOST_RUNNING + 1)]
    assert said == [*(str(each.id) for each in stored[:MOST_RUNNING]), "holding"]
    assert await queue.dequeue_many("limited", 10, timeout=0) == []
    worker.kill()
    await worker.communicate()
    assert await queue.requeue_expired() == MOST_RUNNING
    again = await queue.dequeue_many("limited", 10, timeout=0)
    assert [each.id for each in again] == [each.id for each in stored[:MOST_RUNNING]]
    await queue.close()


async def test_two_processes_hold_a_limit_together(url: str) -> None:
    queue = DatabaseJobQueueAdapter(url, limits=LIMITED)
    await queue.enqueue_many([Job(id=uuid.uuid4(), queue_name="limited", job_type="t", payload={}) for _ in range(150)])
    children = [await child("drain_limited", url) for _ in range(2)]
    seen = 0
    while (stats := await queue.get_queue_stats("limited")).completed_count < 150:
        seen = max(seen, stats.running_count)
        await asyncio.sleep(0.001)
    outputs = [(await each.communicate())[0].decode().split() for each in children]
    await queue.close()
    assert 0 < seen <= MOST_RUNNING
    assert all(int(most) <= MOST_RUNNING for output in outputs for most in output)
    assert sum(map(len, outputs)) == 150


async def test_a_start_is_counted_from_the_moment_when_it_is_its_turn_among_the_writes(
    queue: DatabaseJobQueueAdapter, clock: FakeClock
) -> None:
    await queue.enqueue(job(customer=1))
    may_go_on = threading.Event()
    slow = queue.store.submit(lambda _: may_go_on.wait(5), rows=MANY_ROWS)
    waiting = asyncio.create_task(queue.dequeue(QUEUE, timeout=0), name="waiting")
    await asyncio.sleep(0)
    await clock.advance(5)
    may_go_on.set()
    claimed, _ = await asyncio.gather(waiting, slow)
    assert claimed is not None
    assert claimed.started_at == clock.now()


async def test_a_job_that_goes_to_wait_for_another_slot_hands_the_one_it_was_let_go_for_to_the_next(
    queue: DatabaseJobQueueAdapter,
) -> None:
    first, _ = await queue.enqueue_many([job(), job("other", customer=1)])
    await queue.dequeue_many(QUEUE, 2, timeout=0)
    _, second, behind = await queue.enqueue_many([job(customer=1), job(), job("other")])
    assert await queue.dequeue(QUEUE, timeout=0) == await queue.get_job(behind.id)
    last = await queue.enqueue(job("other"))
    await queue.acknowledge(first.id)
    claimed = [await queue.dequeue(QUEUE, timeout=0) for _ in range(3)]
    assert [each and each.id for each in claimed] == [second.id, last.id, None]


async def test_a_limit_that_is_raised_lets_the_parked_go_at_the_next_start(
    queue: DatabaseJobQueueAdapter, url: str, clock: FakeClock
) -> None:
    jobs = await queue.enqueue_many([job() for _ in range(5)])
    await queue.dequeue_many(QUEUE, 5, timeout=0)
    raised = DatabaseJobQueueAdapter(url, clock=clock, limits=[ConcurrencyLimit(3, job_type="limited")])
    claimed = await raised.dequeue_many(QUEUE, 5, timeout=0)
    await raised.close()
    assert [each.id for each in claimed] == [each.id for each in jobs[1:3]]
