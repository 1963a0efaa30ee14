"""A worker process that has worked off many jobs is no larger than one that has worked off few."""

import json
import subprocess
import sys
import textwrap

import pytest

PROGRAM = textwrap.dedent(
    """
    import asyncio, gc, json, sys
    import psutil
    from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
    from portico.kits.job import JobService, WorkerManager, job
    from portico.ports.job_creator import JobRequest
    from portico.utils.logging import configure_logging

    COUNT, BATCH = int(sys.argv[1]), 1_000

    @job("work", timeout_seconds=600)
    async def work(text: str) -> dict[str, str]:
        return {"text": text}

    def megabytes():
        gc.collect()
        return psutil.Process().memory_info().rss / 2**20

    async def main():
        configure_logging("error")
        queue = MemoryJobQueueAdapter()
        service = JobService(queue)
        worker = WorkerManager(queue, [work], concurrency=100)
        await worker.start()
        sizes = []
        requests = [JobRequest(job_type="work", payload={"text": "x" * 120})] * BATCH
        for number in range(COUNT // BATCH):
            jobs = await service.create_jobs(requests)
            while worker.running_jobs or (await service.get_job_stats("default")).completed_count < BATCH:
                await asyncio.sleep(0.001)
            # what is finished is the store's to keep, and this one keeps all
            for job in jobs:
                assert await service.delete_job(job.id)
            if number % (COUNT // BATCH // 5) == 0:
                sizes.append(megabytes())
        sizes.append(megabytes())
        await worker.stop()
        print(json.dumps(sizes))

    asyncio.run(main())
    """
)


@pytest.mark.parametrize(
    "count", [pytest.param(50_000, id="50,000"), pytest.param(1_000_000, id="1,000,000", marks=pytest.mark.soak)]
)
def test_a_worker_does_not_grow(count: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(count)], capture_output=True, text=True, timeout=1_200, check=True
    )

    sizes = json.loads(ended.stdout)
    # the first fifth fills what is bounded: past claims, caches
    assert sizes[-1] - sizes[1] < 4, sizes
    assert sizes[-1] < 80, sizes
