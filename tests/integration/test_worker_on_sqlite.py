from pathlib import Path

import pytest

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.kits.job import JobService, WorkerManager, job
from portico.testing.stress import stress_start_stop


@job("noop")
async def noop() -> None: ...


@job("thread")
def thread() -> None: ...


@pytest.mark.asyncio
async def test_starting_and_stopping_in_any_order_strands_no_job(tmp_path: Path) -> None:
    queue = DatabaseJobQueueAdapter(f"sqlite:///{tmp_path / 'jobs.db'}")
    service = JobService(queue)
    for number in range(200):
        await service.create_job("thread" if number % 10 == 0 else "noop", {})

    await stress_start_stop(WorkerManager(queue, [noop, thread], concurrency=3))

    stats = await service.get_job_stats("default")
    assert stats.running_count == 0
    assert stats.completed_count + stats.pending_count == 200
    await queue.close()
