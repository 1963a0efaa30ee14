"""How many jobs one worker process drains from the queue in memory: the worker itself, with no store to wait for.

Jobs do nothing, have a payload of about 120 bytes and are all queued beforehand; 100 run at once; nothing is logged.

Run: python benchmarks/worker_memory.py [--jobs N] [--runs N]
"""

import argparse
import asyncio
import gc
import statistics
import sys
import time

from typing_extensions import override

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.kits.job import JobService, WorkerManager, job
from portico.ports.job import Job, JobResult
from portico.ports.job_creator import JobRequest
from portico.ports.job_handler import JobHandler
from portico.utils.logging import configure_logging

CONCURRENCY = 100
PAYLOAD = {"text": "x" * 108}


class Nothing(JobHandler):
    """Does nothing."""

    @property
    @override
    def job_type(self) -> str:
        return "class"

    @override
    async def handle(self, job: Job) -> JobResult:
        return JobResult(success=True)

    @override
    async def on_failure(self, job: Job, error: Exception) -> None: ...


@job("function")
async def nothing(text: str) -> None:
    """Do nothing."""


@job("timed", timeout_seconds=60)
async def nothing_in_time(text: str) -> None:
    """Do nothing within a minute."""


async def _pending(service: JobService) -> int:
    return (await service.get_job_stats("default")).pending_count


async def jobs_per_second(job_type: str, count: int) -> float:
    """Queue the jobs, then time a worker from its start to its last acknowledgement."""
    queue = MemoryJobQueueAdapter()
    service = JobService(queue)
    request = JobRequest(job_type=job_type, payload=PAYLOAD)
    for _ in range(0, count, 1_000):
        await service.create_jobs([request] * 1_000)
    gc.collect()
    worker = WorkerManager(queue, [Nothing(), nothing, nothing_in_time], concurrency=CONCURRENCY)
    began = time.perf_counter()
    await worker.start()
    # looking costs the queue time, so it is asked only once the worker has nothing in its hands
    while worker.running_jobs or await _pending(service):  # noqa: ASYNC110 - a worker tells nobody that it is done
        await asyncio.sleep(0.005)
    taken = time.perf_counter() - began
    await worker.stop()
    return count / taken


def main() -> None:
    """Print one line per kind of handler."""
    parser = argparse.ArgumentParser(description="Measure a worker on the queue in memory.")
    parser.add_argument("--jobs", type=int, default=50_000, help="jobs in each run, in thousands (default: 50000)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each kind (default: 5)")
    options = parser.parse_args()
    configure_logging("error")

    kinds = {"class": "JobHandler", "function": "@job", "timed": "@job, timeout_seconds"}
    # one of each in turn, so that a slow moment of the machine falls on all of them
    rounds = [{kind: asyncio.run(jobs_per_second(kind, options.jobs)) for kind in kinds} for _ in range(options.runs)]
    print(f"Python {sys.version.split()[0]}, {options.jobs:,} jobs, {options.runs} runs, memory (nothing is durable)")
    print(f"{'':26}{'median/s':>10}{'best/s':>10}")
    for kind, name in kinds.items():
        rates = [taken[kind] for taken in rounds]
        print(f"{name:26}{statistics.median(rates):10,.0f}{max(rates):10,.0f}")


if __name__ == "__main__":
    main()
