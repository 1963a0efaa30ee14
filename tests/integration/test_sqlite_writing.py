"""Who writes into the SQLite file, and how much of it becomes one transaction."""

import asyncio
import sqlite3
import threading
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.store.sqlite import pruning
from portico.adapters.store.sqlite.connection_thread import MANY_ROWS
from portico.ports.event_inbox import EventOutcome, InboxEvent
from portico.ports.job import Job
from portico.ports.retention import Retention

pytestmark = pytest.mark.asyncio


def job(**payload: object) -> Job:
    return Job(id=uuid.uuid4(), queue_name="default", job_type="write.work", payload=payload)


def thread(connection: sqlite3.Connection) -> int:
    return threading.get_ident()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@pytest_asyncio.fixture
async def queue(path: Path) -> AsyncIterator[DatabaseJobQueueAdapter]:
    queue = DatabaseJobQueueAdapter(f"sqlite:///{path}", retention=Retention(completed=timedelta(0)))
    await queue.initialize()
    yield queue
    await queue.close()


async def test_a_lone_small_write_is_committed_by_the_loop_itself(queue: DatabaseJobQueueAdapter) -> None:
    assert await queue.store.write(thread) == threading.get_ident()


async def test_a_large_write_is_the_threads(queue: DatabaseJobQueueAdapter) -> None:
    assert await queue.store.write(thread, rows=MANY_ROWS) != threading.get_ident()


async def test_a_write_that_waits_for_the_disk_is_the_threads(path: Path) -> None:
    queue = DatabaseJobQueueAdapter(f"sqlite:///{path}", durability="power")
    await queue.initialize()
    assert await queue.store.write(thread) != threading.get_ident()
    await queue.close()


async def test_a_caller_who_writes_on_and_on_lets_others_run(queue: DatabaseJobQueueAdapter) -> None:
    async def write() -> None:
        while True:
            await queue.store.write(thread)

    writer = asyncio.create_task(write(), name="writer")
    for _ in range(50):
        await asyncio.sleep(0)
    writer.cancel()
    assert await asyncio.gather(writer, return_exceptions=True)


async def test_the_loop_does_not_wait_for_another_programs_transaction(
    queue: DatabaseJobQueueAdapter, path: Path
) -> None:
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(queue.store.write(thread), name="write")
    # were the loop to wait, this would not end before the transaction does
    await asyncio.sleep(0.02)
    assert not writing.done()
    foreign.execute("ROLLBACK")
    foreign.close()
    assert await writing != threading.get_ident()
    assert await queue.store.write(thread) == threading.get_ident()


async def test_a_cancelled_enqueue_wakes_a_waiting_claim_when_it_is_committed(
    queue: DatabaseJobQueueAdapter, path: Path
) -> None:
    waiting = asyncio.create_task(queue.dequeue("default", timeout=30), name="waiting")
    await asyncio.sleep(0.02)
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    enqueuing = asyncio.create_task(queue.enqueue(job()), name="enqueue")
    await asyncio.sleep(0.02)
    enqueuing.cancel()
    assert await asyncio.gather(enqueuing, return_exceptions=True)
    assert not waiting.done()
    foreign.execute("ROLLBACK")
    foreign.close()

    # sooner than the file is looked at
    assert await asyncio.wait_for(waiting, 0.8) is not None


async def test_the_loop_does_not_wait_for_another_processs_commit(queue: DatabaseJobQueueAdapter, path: Path) -> None:
    other = DatabaseJobQueueAdapter(f"sqlite:///{path}")
    await other.initialize()
    entered, leave = threading.Event(), threading.Event()

    def stay(connection: sqlite3.Connection) -> None:
        entered.set()
        leave.wait(5)

    staying = asyncio.create_task(other.store.write(stay, rows=MANY_ROWS), name="stay")
    await asyncio.to_thread(entered.wait, 5)
    writing = asyncio.create_task(queue.store.write(thread), name="write")
    await asyncio.sleep(0.02)
    assert not writing.done()
    leave.set()
    await staying
    assert await writing != threading.get_ident()
    await other.close()


@pytest.mark.parametrize("count", [50, 300])
async def test_calls_that_come_together_share_a_transaction_and_its_statements(
    queue: DatabaseJobQueueAdapter, count: int
) -> None:
    statements: list[str] = []
    await queue.store.write(lambda connection: connection.set_trace_callback(statements.append))
    jobs = await asyncio.gather(*(queue.enqueue(job(n=number)) for number in range(count)))
    claimed = await queue.dequeue_many("default", count, timeout=0)
    assert all(await asyncio.gather(*(queue.acknowledge(each.id) for each in claimed)))
    await queue.store.write(lambda connection: connection.set_trace_callback(None))
    assert [each.id for each in claimed] == [each.id for each in jobs]
    # for creating, claiming, completing, and the last line
    assert statements.count("BEGIN IMMEDIATE") == 4
    assert len(statements) < count


async def test_many_callers_who_come_one_by_one_share_a_transaction(queue: DatabaseJobQueueAdapter) -> None:
    async def come(ticks: int) -> None:
        for _ in range(ticks):
            await asyncio.sleep(0)
        await queue.enqueue(job(n=ticks))

    statements: list[str] = []
    await queue.store.write(lambda connection: connection.set_trace_callback(statements.append))
    await asyncio.gather(come(0), come(0))
    statements.clear()
    await asyncio.gather(*(come(ticks) for ticks in range(10)))
    assert statements.count("BEGIN IMMEDIATE") == 1
    await queue.store.write(lambda connection: connection.set_trace_callback(None))


async def test_an_error_is_its_callers_alone(queue: DatabaseJobQueueAdapter) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        raise LookupError("one of many")

    answers = await asyncio.gather(
        queue.enqueue(job()), queue.store.write(fail), queue.enqueue(job()), return_exceptions=True
    )
    assert [isinstance(answer, Job) for answer in answers] == [True, False, True]
    assert isinstance(answers[1], LookupError)
    with pytest.raises(LookupError):
        await queue.store.write(fail)


async def test_the_log_stays_bounded_while_there_is_no_pause(queue: DatabaseJobQueueAdapter, path: Path) -> None:
    longest = 0
    for _ in range(60):
        await queue.enqueue(job(text="x" * 900_000))
        longest = max(longest, path.with_name("jobs.db-wal").stat().st_size)
    assert 2**20 < longest < 20 * 2**20


async def test_the_log_is_cut_after_a_second_of_quiet(queue: DatabaseJobQueueAdapter, path: Path) -> None:
    log = path.with_name("jobs.db-wal")
    await queue.enqueue(job())
    assert log.stat().st_size
    async with asyncio.timeout(10):
        while log.stat().st_size:
            await asyncio.sleep(0.05)
    # and written again as if nothing had been
    assert await queue.enqueue(job())
    assert log.stat().st_size


async def test_empty_pages_are_returned_to_the_system(
    queue: DatabaseJobQueueAdapter, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_SPARE_PAGES", 100)
    jobs = await queue.enqueue_many([job(text="x" * 100_000) for _ in range(60)])
    await queue.dequeue_many("default", 100, timeout=0)
    await queue.acknowledge_many([each.id for each in jobs])
    await asyncio.sleep(0.01)
    assert await queue.prune() == 60
    await queue.close()
    assert path.stat().st_size < 1_000_000


async def test_any_number_of_old_events_is_forgotten(queue: DatabaseJobQueueAdapter) -> None:
    inbox = queue.event_inbox()
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    for age in range(1_203):
        event = InboxEvent(
            id=uuid.uuid4(),
            trigger="webhook",
            received_at=moment - timedelta(seconds=age),
            outcome=EventOutcome.ACCEPTED,
        )
        await inbox.record(event)
    assert await inbox.prune(received_before=moment) == 1_202
    assert len(await inbox.list_events(limit=5)) == 1
    await inbox.close()
