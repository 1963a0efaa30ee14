"""Jobs drained in memory, producer and worker in one process: ``python -m benchmarks.queues.memory_drain [JOBS]``.

Prints one line of JSON. There is no peer to compare with.
"""

import asyncio
import json
import sys
import time

from typing_extensions import override

from benchmarks.queues import surroundings
from benchmarks.queues.contenders.portico_queue import CONCURRENCY, JOB_TYPE, QUEUE, new_job
from benchmarks.queues.payloads import payload
from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.kits.job import WorkerManager
from portico.ports.job import Job, JobResult
from portico.ports.job_handler import JobHandler
from portico.utils.logging import configure_logging

JOBS = 100_000


class _Counter(JobHandler):
    """Notes when the first job started, and tells when the last one has."""

    def __init__(self, jobs: int) -> None:
        self._left = jobs
        self.first = self.last = 0.0
        self.has_seen_all = asyncio.Event()

    @property
    @override
    def job_type(self) -> str:
        return JOB_TYPE

    @override
    async def handle(self, job: Job) -> JobResult:
        self.first = self.first or time.perf_counter()
        self._left -= 1
        if self._left == 0:
            self.last = time.perf_counter()
            self.has_seen_all.set()
        return JobResult(success=True)

    @override
    async def on_failure(self, job: Job, error: Exception) -> None:
        raise error


async def drain(jobs: int) -> dict[str, float]:
    """Create all jobs, then work them off."""
    queue = MemoryJobQueueAdapter()
    started = time.perf_counter()
    for first in range(0, jobs, 1_000):
        await queue.enqueue_many([new_job(payload(number)) for number in range(first, min(first + 1_000, jobs))])
    created = time.perf_counter() - started
    counter = _Counter(jobs)
    worker = WorkerManager(job_queue=queue, handlers=[counter], concurrency=CONCURRENCY, queues=[QUEUE])
    await worker.start()
    await counter.has_seen_all.wait()
    await worker.stop()
    stats = await queue.get_queue_stats(QUEUE)
    return {
        "bulk": jobs / created,
        "drain": jobs / (counter.last - counter.first),
        "unfinished": jobs - stats.completed_count,
    }


def main() -> None:
    """Measure once."""
    configure_logging(level="warning")
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else JOBS
    print(json.dumps(surroundings.run(drain(jobs))))


if __name__ == "__main__":
    main()
