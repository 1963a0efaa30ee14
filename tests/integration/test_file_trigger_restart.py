"""Files survive the death of the process that watches them."""

import asyncio
import os
import signal
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.job_trigger.file_trigger import FileTrigger
from portico.adapters.store.sqlite.event_inbox import SqliteEventInbox
from portico.adapters.store.sqlite.trigger_store import SqliteTriggerStore
from portico.kits.job.job_service import JobService

pytestmark = pytest.mark.asyncio

FILES = 300
WATCHER = textwrap.dedent(
    """
    import asyncio, os, signal, sys
    from tests.integration.test_file_trigger_restart import trigger_on

    async def main():
        queue, trigger = trigger_on(sys.argv[1], sys.argv[2])
        await queue.initialize()
        await trigger.start()
        sys.stdout.write("started\\n")
        sys.stdout.flush()
        while trigger.get_health().jobs_created_count < 10:
            await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(main())
    """
)


def trigger_on(database: str, folder: str) -> tuple[DatabaseJobQueueAdapter, FileTrigger]:
    queue = DatabaseJobQueueAdapter(f"sqlite:///{database}")
    trigger = FileTrigger(
        JobService(job_queue=queue),
        folder,
        settle_seconds=0.05,
        store=SqliteTriggerStore(queue.store),
        inbox=SqliteEventInbox(queue.store),
    )
    return queue, trigger


async def test_a_watcher_killed_at_work_leaves_one_job_for_each_file(tmp_path: Path) -> None:
    folder, database = tmp_path / "in", tmp_path / "jobs.db"
    folder.mkdir()
    watcher = await _watcher(database, folder)
    for number in range(FILES):
        (folder / f"{number}").touch()
    async with asyncio.timeout(20):
        assert await watcher.wait() == -signal.SIGKILL
    (folder / "while it was down").touch()

    queue, trigger = trigger_on(str(database), str(folder))
    await queue.initialize()
    created_before = (await queue.get_queue_stats("file_processing")).pending_count
    assert 0 < created_before < FILES, "it was not killed at work"
    await trigger.start()
    try:
        async with asyncio.timeout(20):
            while (await queue.get_queue_stats("file_processing")).pending_count < FILES + 1:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
        jobs = await queue.dequeue_many("file_processing", limit=2 * FILES, timeout=0)
    finally:
        await trigger.stop()
        await queue.close()

    names = Counter(Path(job.payload["file_path"]).name for job in jobs)
    assert names == Counter([*map(str, range(FILES)), "while it was down"])


async def _watcher(database: Path, folder: Path) -> asyncio.subprocess.Process:
    root = str(Path(__file__).parents[2])
    watcher = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WATCHER, str(database), str(folder)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": root},
    )
    await _line(watcher, b"started\n")
    return watcher


async def _line(watcher: asyncio.subprocess.Process, expected: bytes) -> None:
    assert watcher.stdout is not None
    async with asyncio.timeout(20):
        # the log may be there too
        async for line in watcher.stdout:
            if line == expected:
                return
    pytest.fail(f"the watcher ended before it said {expected!r}")
