"""The producer's process: ``python -m benchmarks.queues.produce MODULE one|bulk|latency JOBS [FIRST]``.

Prints one line of JSON: what it measured.
"""

import asyncio
import gc
import json
import random
import sys
import time
from importlib import import_module

from benchmarks.queues import marks, surroundings
from benchmarks.queues.contenders.client import Client
from benchmarks.queues.payloads import payload

ONE_BY_ONE_SECONDS = 2.0
LATE_SECONDS = 5.0
WARM_UP_JOBS = 10
_LONGEST_PAUSE_SECONDS = 0.02
# the shortest that uvloop sleeps: less would spin, beside the worker that is to be idle
_LOOK_SECONDS = 0.001
_PORTION = 20_000


async def one_by_one(client: Client, _jobs: int, _first: int) -> dict[str, float]:
    """Create one job after another."""
    await client.prepare()
    await client.open()
    for _ in range(WARM_UP_JOBS):
        await client.enqueue(payload(0))
    created, started = 0, time.perf_counter()
    while time.perf_counter() < started + ONE_BY_ONE_SECONDS:
        await client.enqueue(payload(0))
        created += 1
    return {"per_second": created / (time.perf_counter() - started)}


async def bulk(client: Client, jobs: int, first: int) -> dict[str, float]:
    """Create all jobs in the best way there is; on a store in which nothing is unless `first` is above 0."""
    if not first:
        await client.prepare()
    await client.open()
    seconds = 0.0
    for start in range(first, first + jobs, _PORTION):
        payloads = [payload(number) for number in range(start, min(start + _PORTION, first + jobs))]
        gc.collect()
        started = time.perf_counter()
        await client.enqueue_many(payloads)
        seconds += time.perf_counter() - started
    return {"per_second": jobs / seconds}


async def latency(client: Client, jobs: int, first: int) -> dict[str, float]:
    """Create jobs for an idle worker, each after the one before has started and a short random pause."""
    await client.open()
    pauses = random.Random(1)  # noqa: S311 - so that no poller is met in step
    waits = []
    for number in range(first, first + WARM_UP_JOBS + jobs):
        await asyncio.sleep(pauses.uniform(0, _LONGEST_PAUSE_SECONDS))
        created_ns = time.monotonic_ns()
        await client.enqueue(payload(number))
        waits.append((await _start_of(number) - created_ns) / 1e6)
    late = sum(wait > LATE_SECONDS * 1_000 for wait in waits)
    counted = sorted(waits[WARM_UP_JOBS:])
    return {"late": late, "p50_ms": counted[len(counted) // 2], "p99_ms": counted[int(len(counted) * 0.99)]}


async def _start_of(number: int) -> int:
    """Return when the job started; the moment of giving up when it has not."""
    deadline = time.monotonic() + LATE_SECONDS
    while not marks.shared().ran(number):
        if time.monotonic() > deadline:
            return time.monotonic_ns()
        await asyncio.sleep(_LOOK_SECONDS)
    return marks.shared().started_ns(number)


PHASES = {"one": one_by_one, "bulk": bulk, "latency": latency}


async def _produce(module: str, phase: str, jobs: int, first: int) -> dict[str, float]:
    client: Client = import_module(f"benchmarks.queues.contenders.{module}").client()
    try:
        return await PHASES[phase](client, jobs, first)
    finally:
        await client.close()


def main(module: str, phase: str, jobs: str, first: str = "0") -> None:
    """Run one phase."""
    print(json.dumps(surroundings.run(_produce(module, phase, int(jobs), int(first)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
