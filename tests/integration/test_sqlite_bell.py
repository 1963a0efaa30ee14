"""How a worker that waits on an SQLite file hears of what another process wrote."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.store.sqlite import foreign_changes
from portico.adapters.store.sqlite.doorbell import Doorbell
from portico.ports.job import Job

pytestmark = pytest.mark.asyncio


def job() -> Job:
    return Job(id=uuid.uuid4(), queue_name="default", job_type="bell.work", payload={})


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def opened(path: Path, stack: AsyncExitStack) -> DatabaseJobQueueAdapter:
    queue = DatabaseJobQueueAdapter(f"sqlite:///{path}")
    await queue.initialize()
    stack.push_async_callback(queue.close)
    return queue


async def hears(waiting: DatabaseJobQueueAdapter, writing: DatabaseJobQueueAdapter) -> bool:
    waiter = asyncio.create_task(waiting.dequeue("default", timeout=20), name="waiter")
    await asyncio.sleep(0.05)
    created = await writing.enqueue(job())
    async with asyncio.timeout(10):
        claimed = await waiter
    return claimed is not None and claimed.id == created.id


async def test_a_waiting_worker_is_woken_by_the_bell_alone(
    tmp_path: Path, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign_changes, "_RARELY_SECONDS", 3_600.0)
    waiting, writing = [await opened(tmp_path / "jobs.db", stack) for _ in range(2)]
    assert await hears(waiting, writing)
    # also one that was opened later, and after the folder changed
    assert await hears(await opened(tmp_path / "jobs.db", stack), writing)


async def test_where_the_path_is_too_long_for_a_bell_the_file_is_looked_at(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    waiting, writing = [await opened(folder / "jobs.db", stack) for _ in range(2)]
    assert not waiting.store.doorbell.works
    assert await hears(waiting, writing)


async def test_a_bell_that_is_lost_costs_a_second(tmp_path: Path, stack: AsyncExitStack) -> None:
    waiting, writing = [await opened(tmp_path / "jobs.db", stack) for _ in range(2)]
    for bell in tmp_path.glob("jobs.db.d/*.bell"):
        bell.unlink()
    assert await hears(waiting, writing)
    # and who looks hangs it up again
    assert await hears(waiting, writing)
    assert waiting.store.doorbell.works


async def test_a_bell_that_nobody_hears_any_more_is_taken_down(tmp_path: Path) -> None:
    dead, living = Doorbell(tmp_path, "dead"), Doorbell(tmp_path, "living")
    assert dead._socket is not None
    dead._socket.close()
    living.ring()
    await asyncio.sleep(0)
    assert [path.name for path in tmp_path.iterdir()] == ["living.bell"]
    living.close()


async def test_ringing_often_while_nobody_listens_harms_nobody(tmp_path: Path) -> None:
    busy, eager = Doorbell(tmp_path, "busy"), Doorbell(tmp_path, "eager")
    for _ in range(1_000):
        eager.ring()
        await asyncio.sleep(0)
    assert await busy.wait(5)
    assert not await busy.wait(0.01)
    busy.close()
    eager.close()
    eager.ring()
