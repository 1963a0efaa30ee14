"""What the founding document's listings call their own."""

from collections.abc import AsyncIterator

import pytest_asyncio

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.kits.job.job_service import JobService


@pytest_asyncio.fixture
async def job_queue_adapter() -> AsyncIterator[MemoryJobQueueAdapter]:
    adapter = MemoryJobQueueAdapter()
    yield adapter
    await adapter.close()


@pytest_asyncio.fixture
async def job_service(job_queue_adapter: MemoryJobQueueAdapter) -> JobService:
    return JobService(job_queue=job_queue_adapter)
