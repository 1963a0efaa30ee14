"""What limits and turns cost: ``python -m benchmarks.queues.limits [--only sqlite] [--jobs 10000]``.

Producer and worker share one process, so these numbers stand beside each other and not beside the other tables.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.queues.contenders.portico_queue import CONCURRENCY, JOB_TYPE, QUEUE, new_job
from benchmarks.queues.payloads import payload
from benchmarks.queues.stores import STORES, StoreMissingError
from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter
from portico.kits.job import JobDefinition, WorkerManager, job
from portico.ports.job import Job
from portico.ports.job_limits import ConcurrencyLimit, JobLimit
from portico.ports.job_queue import JobQueueAdapter
from portico.utils.logging import configure_logging

_BATCH = 1_000
_TENANTS = 10
_NAMES = ("memory", *STORES)


@dataclass(frozen=True)
class Case:
    """Jobs that are drained under some limits."""

    title: str
    limits: tuple[JobLimit, ...] = ()
    tenants: int = 0


CASES = (
    Case("no limit"),
    Case("a limit that never blocks", (ConcurrencyLimit(1_000_000, queue_name=QUEUE),)),
    Case("at most 10 at once", (ConcurrencyLimit(10, queue_name=QUEUE),)),
    Case("one at once for each of 1,000 keys", (ConcurrencyLimit(1, queue_name=QUEUE, key="key"),)),
    Case(f"turns between {_TENANTS} tenants", tenants=_TENANTS),
)


def main() -> None:
    """Print a table for each store."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queues.limits", description=__doc__)
    parser.add_argument("--only", default=",".join(_NAMES), help="stores, with commas (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=10_000)
    arguments = parser.parse_args()
    configure_logging(level="error")
    print(
        f"\nLimits and turns: {arguments.jobs:,} jobs, then one worker in the same process, concurrency {CONCURRENCY}"
    )
    for name in arguments.only.split(","):
        if name not in _NAMES:
            parser.error(f"{name!r} is none of {', '.join(_NAMES)}")
        try:
            _measure(name, arguments.jobs)
        except StoreMissingError as missing:
            print(f"  {name}: skipped, {missing}")


def _measure(store: str, jobs: int) -> None:
    print(f"  {store:40}{'bulk /s':>10}{'drain /s':>10}{'ratio':>8}")
    first: float | None = None
    for case in CASES:
        if store == "memory":
            bulk, drain = asyncio.run(_drain(MemoryJobQueueAdapter(limits=case.limits), case, jobs))
        else:
            with STORES[store]().empty() as url:
                bulk, drain = asyncio.run(_drain(_adapter(url, case.limits), case, jobs))
        first = first or drain
        print(f"    {case.title:38}{bulk:10,.0f}{drain:10,.0f}{drain / first:7.2f}x", flush=True)


def _adapter(url: str, limits: Sequence[JobLimit]) -> JobQueueAdapter:
    if url.startswith("redis://"):
        return RedisJobQueueAdapter(url, limits=limits)
    return DatabaseJobQueueAdapter(url, limits=limits)


async def _drain(queue: JobQueueAdapter, case: Case, count: int) -> tuple[float, float]:
    """Return how many jobs were created and run in a second."""
    await queue.initialize()
    began = time.perf_counter()
    for first in range(0, count, _BATCH):
        await queue.enqueue_many([_job(number, case) for number in range(first, min(first + _BATCH, count))])
    created = time.perf_counter() - began
    handler, is_done = _countdown(count)
    worker = WorkerManager(job_queue=queue, handlers=[handler], concurrency=CONCURRENCY, queues=[QUEUE])
    began = time.perf_counter()
    await worker.start()
    await is_done.wait()
    drained = time.perf_counter() - began
    await worker.stop()
    await queue.close()
    return count / created, count / drained


def _job(number: int, case: Case) -> Job:
    made = new_job({**payload(number), "key": number % 1_000})
    return replace(made, metadata={"partition_key": str(number % case.tenants)}) if case.tenants else made


def _countdown(count: int) -> tuple[JobDefinition[..., Any], asyncio.Event]:
    left, is_done = count, asyncio.Event()

    @job(JOB_TYPE)
    async def handle(payload: dict[str, Any]) -> None:  # noqa: ARG001 - nothing is done with it
        nonlocal left
        left -= 1
        if not left:
            is_done.set()

    return handle, is_done


if __name__ == "__main__":
    main()
