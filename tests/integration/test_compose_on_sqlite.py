"""A composed application on a file."""

import asyncio
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from portico import compose, job
from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.ports.job import JobStatus

pytestmark = pytest.mark.asyncio


async def test_a_job_whose_thread_outlives_the_stop_is_given_to_nobody_else(tmp_path: Path) -> None:
    begun, release = threading.Event(), threading.Event()

    @job("slow.run")
    def run_slowly() -> None:
        begun.set()
        release.wait(10)

    url = f"sqlite:///{tmp_path}/jobs.db"
    jobs = compose.jobs(url, handlers=[run_slowly], worker_options={"grace_seconds": 0.01})
    await jobs.start()
    created = await jobs.creator.create_job("slow.run", {})
    await asyncio.to_thread(begun.wait, 5)
    with capture_logs() as logs:
        await jobs.stop()
    other = DatabaseJobQueueAdapter(url)
    await other.initialize()
    given_back = await other.requeue_expired()
    stored = await other.get_job(created.id)
    await other.close()
    release.set()
    async with asyncio.timeout(5):
        while (ended := await jobs.creator.get_job(created.id)) and not ended.status.is_final:
            await asyncio.sleep(0.01)
    await jobs.queue.close()
    assert given_back == 0
    assert stored is not None
    assert stored.status is JobStatus.RUNNING
    assert ended is not None
    assert ended.status is JobStatus.COMPLETED
    assert "queue_left_open" in [entry["event"] for entry in logs]
