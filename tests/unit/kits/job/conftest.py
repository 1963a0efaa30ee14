from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.kits.job import JobService, WorkerManager
from portico.testing import FakeClock
from tests.unit.kits.job.support import StartWorker, stop


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
