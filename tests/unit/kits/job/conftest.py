import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.kits.job import JobService, WorkerManager
from portico.testing import FakeClock


class StartWorker(Protocol):
    async def __call__(self, *handlers: Any, **options: Any) -> WorkerManager: ...


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2030, 1, 1, tzinfo=UTC))


@pytest.fixture
def queue(clock: FakeClock) -> MemoryJobQueueAdapter:
    return MemoryJobQueueAdapter(clock=clock)


@pytest.fixture
def service(queue: MemoryJobQueueAdapter, clock: FakeClock) -> JobService:
    return JobService(job_queue=queue, clock=clock)


@pytest_asyncio.fixture
async def start_worker(queue: MemoryJobQueueAdapter, clock: FakeClock) -> AsyncIterator[StartWorker]:
    workers: list[WorkerManager] = []

    async def start(*handlers: Any, **options: Any) -> WorkerManager:
        worker = WorkerManager(options.pop("job_queue", queue), handlers, clock=clock, **options)
        workers.append(worker)
        await worker.start()
        await clock.settle()
        return worker

    yield start
    for worker in workers:
        await stop(worker, clock)


@pytest.fixture
def logs() -> Any:
    with capture_logs() as captured:
        yield captured


async def stop(worker: WorkerManager, clock: FakeClock) -> None:
    """Stop, letting the grace pass."""
    stopping = asyncio.create_task(worker.stop())
    for _ in range(5):
        await clock.settle()
        if not stopping.done():
            await clock.advance(30)
    await stopping


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Let the loop and other threads run until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        await asyncio.sleep(0)


def events(logs: list[Any], *names: str) -> list[str]:
    """Return the names of the logged events, in order; only those named, if any."""
    return [entry["event"] for entry in logs if not names or entry["event"] in names]
