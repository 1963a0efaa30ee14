"""The SQLite queue when somebody deletes its files while it is open."""

import shutil
import sqlite3
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.exceptions import DatabaseError
from portico.ports.job import Job

pytestmark = pytest.mark.asyncio


def job() -> Job:
    return Job(id=uuid.uuid4(), queue_name="default", job_type="weather.work", payload={})


@pytest_asyncio.fixture
async def queue(tmp_path: Path) -> AsyncIterator[DatabaseJobQueueAdapter]:
    queue = DatabaseJobQueueAdapter(f"sqlite:///{tmp_path}/jobs.db")
    await queue.initialize()
    yield queue
    await queue.close()


@pytest_asyncio.fixture
async def other(queue: DatabaseJobQueueAdapter, tmp_path: Path) -> AsyncIterator[DatabaseJobQueueAdapter]:
    other = DatabaseJobQueueAdapter(f"sqlite:///{tmp_path}/jobs.db")
    await other.initialize()
    yield other
    await other.close()


def assert_sound(path: Path, jobs: int) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*) FROM portico_job").fetchone() == (jobs,)
    connection.close()


@pytest.mark.parametrize("deleted", [["jobs.db-wal"], ["jobs.db-wal", "jobs.db-shm"]])
async def test_a_log_that_is_deleted_loses_nothing(
    queue: DatabaseJobQueueAdapter, other: DatabaseJobQueueAdapter, tmp_path: Path, deleted: list[str]
) -> None:
    stored = [await each.enqueue(job()) for each in (queue, other, queue)]
    for name in deleted:
        (tmp_path / name).unlink()
    for _ in range(3):
        stored += [await each.enqueue(job()) for each in (other, queue)]
        for each in (queue, other):
            assert [await each.get_job(one.id) for one in stored] == stored
    await queue.close()
    await other.close()
    assert_sound(tmp_path / "jobs.db", len(stored))


async def test_a_database_that_is_gone_takes_no_job(queue: DatabaseJobQueueAdapter, tmp_path: Path) -> None:
    stored = await queue.enqueue(job())
    (tmp_path / "jobs.db").rename(tmp_path / "moved.db")
    with pytest.raises(DatabaseError, match="moved or deleted"):
        await queue.enqueue(job())
    (tmp_path / "moved.db").rename(tmp_path / "jobs.db")
    assert await queue.acknowledge(stored.id) is False
    assert await queue.get_job(stored.id) == stored


async def test_workers_whose_folder_of_locks_is_deleted_are_not_taken_for_dead(
    queue: DatabaseJobQueueAdapter, other: DatabaseJobQueueAdapter, tmp_path: Path
) -> None:
    await queue.enqueue(job())
    running = await queue.dequeue("default", timeout=0)
    assert running is not None
    shutil.rmtree(tmp_path / "jobs.db.d")
    assert await other.requeue_expired() == 0
    assert await other.get_job(running.id) == running
    assert await queue.acknowledge(running.id)


async def test_a_folder_of_locks_that_is_deleted_is_made_again(
    queue: DatabaseJobQueueAdapter, other: DatabaseJobQueueAdapter, tmp_path: Path
) -> None:
    folder = tmp_path / "jobs.db.d"
    before = {path.name for path in folder.iterdir()}
    shutil.rmtree(folder)
    for each in (queue, other):
        await each.requeue_expired()
    assert {path.name for path in folder.iterdir()} == before
