"""Handlers that keep the event loop to themselves, in real time."""

import asyncio
import json
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.kits.job import JobService, WorkerManager, event_loop_watch, job


@job("blocks")
async def blocks(seconds: float) -> None:
    await asyncio.sleep(0)
    time.sleep(seconds)  # noqa: ASYNC251 - the mistake that is to be noticed


@job("waits")
async def waits(seconds: float) -> None:
    await asyncio.sleep(seconds)


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_loop_watch, "FIRST_WARNING_SECONDS", 0.2)
    monkeypatch.setattr(event_loop_watch, "_INTERVAL_SECONDS", 0.1)


async def _warnings_while(*jobs: tuple[str, float], idle_seconds: float = 0.0) -> list[Any]:
    queue = MemoryJobQueueAdapter()
    service = JobService(queue)
    worker = WorkerManager(queue, [blocks, waits])
    with capture_logs() as logs:
        await worker.start()
        await asyncio.sleep(idle_seconds)
        for job_type, seconds in jobs:
            await service.create_job(job_type, {"seconds": seconds})
        while (await service.get_job_stats("default")).completed_count < len(jobs):
            await asyncio.sleep(0.01)
        await worker.stop()
    return [entry for entry in logs if entry["event"] == "event_loop_blocked"]


@pytest.mark.asyncio
async def test_a_handler_that_blocks_the_loop_is_named() -> None:
    warnings = await _warnings_while(("waits", 0.01), ("blocks", 1.0))

    first = warnings[0]
    assert (first["job_type"], first["attempt"], first["log_level"]) == ("blocks", 1, "warning")
    assert 0.2 <= first["seconds"] < 1
    assert first["at"].startswith(__file__)
    assert first["at"].endswith(" blocks")
    # again when the time doubled, not at every look
    assert 2 <= len(warnings) <= 3


@pytest.mark.asyncio
async def test_a_worker_that_sleeps_or_waits_warns_of_nothing() -> None:
    assert await _warnings_while(("waits", 0.5), idle_seconds=0.5) == []


PROGRAM = textwrap.dedent(
    """
    import asyncio
    from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
    from portico.kits.job import JobService, WorkerManager, event_loop_watch, job
    from portico.utils.logging import configure_logging

    event_loop_watch.FIRST_WARNING_SECONDS, event_loop_watch._INTERVAL_SECONDS = 0.2, 0.1

    @job("waits")
    async def waits():
        print("begun", flush=True)
        await asyncio.sleep(2)

    async def main():
        configure_logging("warning", json=True)
        queue = MemoryJobQueueAdapter()
        created = await JobService(queue).create_job("waits", {})
        async def done():
            return (await queue.get_job(created.id)).status == "completed"
        worker = WorkerManager(queue, [waits])
        await worker.start()
        while not await done():
            await asyncio.sleep(0.05)
        await worker.stop()

    asyncio.run(main())
    """
)


@pytest.mark.asyncio
async def test_a_process_that_is_suspended_does_not_blame_its_jobs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as errors:
        process = await asyncio.to_thread(
            subprocess.Popen, [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=errors
        )
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline) == b"begun\n"

    process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(1.0)
    process.send_signal(signal.SIGCONT)

    assert await asyncio.to_thread(process.wait, 20) == 0
    process.stdout.close()
    assert [json.loads(line)["event"] for line in log.read_text().splitlines()] == []
