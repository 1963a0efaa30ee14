"""Jobs that are stored in a transaction of the caller's own."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.adapters.store.postgres import commit_watch, doorbell
from portico.exceptions import ConfigurationError, DatabaseError, UnsupportedError
from portico.ports.job import Job
from portico.ports.job_queue import joins_transactions

pytestmark = pytest.mark.asyncio

QUEUE = "orders"


def job(**fields: Any) -> Job:
    known: dict[str, Any] = {"id": uuid.uuid4(), "queue_name": QUEUE, "job_type": "order.ship", "payload": {"n": 1}}
    return Job(**{**known, **fields})


@pytest_asyncio.fixture
async def queue(postgres_url: str, postgres_schema: str) -> AsyncIterator[DatabaseJobQueueAdapter]:
    queue = DatabaseJobQueueAdapter(postgres_url, schema=postgres_schema)
    await queue.initialize()
    yield queue
    await queue.close()


@pytest_asyncio.fixture
async def engine(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(postgres_url.replace("postgresql://", "postgresql+asyncpg://"))
    yield engine
    await engine.dispose()


async def test_a_job_is_there_when_the_callers_transaction_commits(
    queue: DatabaseJobQueueAdapter, connection: Any
) -> None:
    assert joins_transactions(queue)
    async with connection.transaction():
        stored = await queue.enqueue(job(), connection=connection)
        assert await queue.get_job(stored.id) is None
        assert await queue.dequeue(QUEUE, timeout=0) is None
    assert await queue.get_job(stored.id) == stored
    claimed = await queue.dequeue(QUEUE, timeout=0)
    assert claimed is not None
    assert claimed.id == stored.id


async def test_a_rolled_back_transaction_leaves_no_job_and_no_key(
    queue: DatabaseJobQueueAdapter, connection: Any
) -> None:
    given = job(metadata={"idempotency_key": "order-7", "unique_key": "order-7"})
    transaction = connection.transaction()
    await transaction.start()
    assert not (await queue.enqueue(given, connection=connection)).is_duplicate
    assert (await queue.enqueue(given, connection=connection)).is_duplicate
    await transaction.rollback()
    assert await queue.get_job(given.id) is None
    assert not (await queue.enqueue(given)).is_duplicate


async def test_a_key_that_is_held_outside_makes_a_duplicate_inside(
    queue: DatabaseJobQueueAdapter, connection: Any
) -> None:
    first = await queue.enqueue(job(metadata={"idempotency_key": "order-7"}))
    async with connection.transaction():
        second = await queue.enqueue(job(metadata={"idempotency_key": "order-7"}), connection=connection)
    assert (second.id, second.is_duplicate) == (first.id, True)


async def test_whoever_asks_for_a_key_of_an_open_transaction_waits_for_its_end(
    queue: DatabaseJobQueueAdapter, connection: Any
) -> None:
    inside = job(metadata={"idempotency_key": "order-7"})
    async with connection.transaction():
        await queue.enqueue(inside, connection=connection)
        outside = asyncio.create_task(queue.enqueue(job(metadata={"idempotency_key": "order-7"})))
        await asyncio.sleep(0.1)
        assert not outside.done()
    answer = await asyncio.wait_for(outside, 5)
    assert (answer.id, answer.is_duplicate) == (inside.id, True)


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_sqlalchemys_session_and_connection_are_joined(
    queue: DatabaseJobQueueAdapter, engine: AsyncEngine, end: str
) -> None:
    async with AsyncSession(engine) as session:
        # first thing in it: nothing has begun SQLAlchemy's transaction yet
        by_session = await queue.enqueue(job(), connection=session)
        await session.execute(text("SELECT 1"))
        await getattr(session, end)()
    async with engine.connect() as connection:
        by_connection = await queue.enqueue(job(), connection=connection)
        await getattr(connection, end)()
    for stored in (by_session, by_connection):
        assert (await queue.get_job(stored.id) == stored) is (end == "commit")


async def test_a_waiting_worker_finds_a_job_right_after_its_commit(
    queue: DatabaseJobQueueAdapter,
    connection: Any,
    postgres_url: str,
    postgres_schema: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # nobody finds it by looking for himself
    monkeypatch.setattr(doorbell, "_LONGEST_PAUSE_SECONDS", 60)
    other = DatabaseJobQueueAdapter(postgres_url, schema=postgres_schema)
    waiting = asyncio.create_task(other.dequeue(QUEUE, timeout=30))
    await asyncio.sleep(0.3)
    async with connection.transaction():
        await queue.enqueue(job(), connection=connection)
        await asyncio.sleep(0.1)
        assert not waiting.done()
    claimed = await asyncio.wait_for(waiting, 5)
    assert claimed is not None
    await other.close()


async def test_a_rolled_back_job_is_looked_for_no_longer_than_a_second(
    queue: DatabaseJobQueueAdapter, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_watch, "_LONGEST_WATCH_SECONDS", 0.05)
    transaction = connection.transaction()
    await transaction.start()
    await queue.enqueue(job(), connection=connection)
    await transaction.rollback()
    async with asyncio.timeout(5):
        while any(task.get_name() == "portico-postgres-commit-watch" for task in asyncio.all_tasks()):
            await asyncio.sleep(0.01)


async def test_what_is_no_connection_is_refused_by_its_type(queue: DatabaseJobQueueAdapter) -> None:
    with pytest.raises(ConfigurationError, match="not an object of type dict"):
        await queue.enqueue(job(), connection={"host": "db"})
    sqlite = create_async_engine("sqlite+aiosqlite://")
    async with sqlite.connect() as connection:
        with pytest.raises(ConfigurationError, match="by aiosqlite"):
            await queue.enqueue(job(), connection=connection)
    await sqlite.dispose()


async def test_an_error_in_the_callers_transaction_is_of_the_tree(
    queue: DatabaseJobQueueAdapter, connection: Any
) -> None:
    transaction = connection.transaction()
    await transaction.start()
    with pytest.raises(asyncpg.exceptions.DivisionByZeroError):
        await connection.execute("SELECT 1 / 0")
    with pytest.raises(DatabaseError, match="current transaction is aborted"):
        await queue.enqueue(job(), connection=connection)
    await transaction.rollback()


async def test_other_databases_say_that_they_cannot(tmp_path: Any) -> None:
    queue = DatabaseJobQueueAdapter(f"sqlite:///{tmp_path}/jobs.db")
    assert not joins_transactions(queue)
    assert not joins_transactions(MemoryJobQueueAdapter())
    with pytest.raises(UnsupportedError, match="transactions"):
        await queue.enqueue(job(), connection=object())
