"""Schedules: many at one time, many every second beside APScheduler, and what an expression costs.

Run: python benchmarks/schedules.py [--seconds N] [--schedules N]

Each case is a process of its own. On SQLite a tick counts as late until its job is stored in the file. APScheduler
calls a function, which stores nothing; beside it stands a creator of ours that stores nothing either. APScheduler 3.11
runs where it is installed: here, or in .venv-bench (`make bench` puts it there).
"""

import argparse
import asyncio
import gc
import importlib
import importlib.util
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import psutil
from typing_extensions import override

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.job_trigger.schedule_trigger import ScheduleConfig, ScheduleTrigger
from portico.kits.job import JobService
from portico.ports.job import Job
from portico.ports.job_creator import BatchJobCreator, JobRequest
from portico.runtime.clock import SystemClock
from portico.runtime.cron.next_after import next_after
from portico.runtime.cron.parse import canonical_cron, parse
from portico.utils.logging import configure_logging

EXPRESSIONS = ("*/5 * * * *", "0 9 * * *", "0 9 * * 1-5", "30 4 1,15 * 5", "0 0 29 2 *", "0 0 L * *", "*/10 * * * * *")
PEER_PYTHON = Path(__file__).parents[1] / ".venv-bench" / "bin" / "python"
LONGEST_BURST_SECONDS = 120
WARM_UP_SECONDS = 4
QUIET_SECONDS = 3
Case = Callable[[argparse.Namespace], Coroutine[Any, Any, dict[str, Any]]]


class SetClock(SystemClock):
    """A clock that can be moved to just before a tick."""

    offset = timedelta(0)

    @override
    def now(self) -> datetime:
        return super().now() + self.offset


class Recorder(BatchJobCreator):
    """Notes when each tick became a job; passes on to a queue, or makes jobs that nobody keeps."""

    def __init__(self, service: JobService | None, clock: SystemClock) -> None:
        self.count = 0
        self._created: list[tuple[datetime, Counter[str]]] = []
        self._service = service
        self._time = clock

    @override
    async def create_job(
        self, job_type: str, payload: dict[str, Any], queue_name: str = "default", priority: int = 0, **kwargs: Any
    ) -> Job:
        [job] = await self.create_jobs([JobRequest(job_type=job_type, payload=payload, **kwargs)])
        return job

    @override
    async def create_jobs(self, requests: Sequence[JobRequest]) -> list[Job]:
        jobs = [_UNKEPT] * len(requests) if self._service is None else await self._service.create_jobs(requests)
        self.count += len(requests)
        # what becomes of it is found out later: until the next batch is created, every microsecond is lateness
        self._created.append((self._time.now(), Counter(request.metadata["scheduled_for"] for request in requests)))
        return jobs

    def lateness(self) -> dict[datetime, list[float]]:
        """Return by how many seconds each job came after its tick."""
        found: dict[datetime, list[float]] = {}
        for created_at, ticks in self._created:
            for text, count in ticks.items():
                tick = datetime.fromisoformat(text)
                found.setdefault(tick, []).extend([(created_at - tick).total_seconds()] * count)
        return found


_UNKEPT = Job(id=uuid4(), queue_name="default", job_type="bench.work", payload={})


class StallMeter:
    """How long the event loop was away at most."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, time.perf_counter() - before - 0.001)


@asynccontextmanager
async def measuring_stalls() -> AsyncIterator[StallMeter]:
    """Measure as long as the block runs."""
    meter = StallMeter()
    task = asyncio.create_task(meter.run())
    try:
        yield meter
    finally:
        task.cancel()


def megabytes() -> float:
    """Resident memory of this process."""
    gc.collect()
    return float(psutil.Process().memory_info().rss / 1_000_000)


@asynccontextmanager
async def trigger_of(
    schedules: Sequence[ScheduleConfig], clock: SystemClock, *, stores: bool = True
) -> AsyncIterator[tuple[ScheduleTrigger, Recorder]]:
    """Run the schedules, on an SQLite file of their own or in memory."""
    with tempfile.TemporaryDirectory() as folder:
        queue = DatabaseJobQueueAdapter(f"sqlite:///{folder}/jobs.db", clock=clock)
        recorder = Recorder(JobService(queue) if stores else None, clock)
        store, inbox = (queue.trigger_store(), queue.event_inbox()) if stores else (None, None)
        trigger = ScheduleTrigger(recorder, schedules, clock=clock, store=store, inbox=inbox)
        await queue.initialize()
        await trigger.start()
        try:
            yield trigger, recorder
        finally:
            await trigger.stop()
            await queue.close()


async def burst(options: argparse.Namespace) -> dict[str, Any]:
    """Load many schedules that are all due at one second, let that second come, and wait for the jobs."""
    clock = SetClock()
    due = (clock.now() + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
    # different expressions, one time
    crons = [f"0 {due.hour} {due.day},{day} * *" for day in range(1, 29)]
    before, began = megabytes(), time.perf_counter()
    schedules = [
        ScheduleConfig(cron=crons[number % len(crons)], job_type="bench.work", schedule_id=f"schedule-{number}")
        for number in range(options.schedules)
    ]
    built, with_configs = time.perf_counter() - began, megabytes()
    began = time.perf_counter()
    async with trigger_of(schedules, clock) as (trigger, recorder):
        loaded, with_trigger = time.perf_counter() - began, megabytes()
        await settled()
        idle = await idle_share()
        # so that the collector of cycles does not walk through all schedules again and again; the page on schedules
        # says the same to users who have very many
        gc.freeze()
        async with measuring_stalls() as stalls:
            clock.offset = due - datetime.now(UTC) - timedelta(seconds=0.2)
            deadline = time.monotonic() + LONGEST_BURST_SECONDS
            while recorder.count < options.schedules and time.monotonic() < deadline:  # noqa: ASYNC110 - measured
                await asyncio.sleep(0.005)
        return {
            "configurations built, s": built,
            "loaded and started, s": loaded,
            "memory of configurations, MB": with_configs - before,
            "memory of the trigger, MB": with_trigger - with_configs,
            "idle, % of a core": idle,
            "all jobs stored after, s": max(map(max, recorder.lateness().values())),
            "longest stall, ms": stalls.longest * 1000,
            "jobs": trigger.get_health().jobs_created_count,
        }


async def settled() -> None:
    """Wait until nothing is left to do: the cursors of new schedules are saved a second after the start."""
    process = psutil.Process()
    process.cpu_percent()
    quiet = 0
    for _ in range(LONGEST_BURST_SECONDS):
        await asyncio.sleep(1)
        quiet = quiet + 1 if process.cpu_percent() < 2 else 0  # noqa: PLR2004 - percent
        if quiet == QUIET_SECONDS:
            return


async def idle_share() -> float:
    """Percent of a core that is used while nothing is due."""
    began = time.process_time()
    await asyncio.sleep(5)
    return (time.process_time() - began) / 5 * 100


async def every_second(options: argparse.Namespace) -> dict[str, Any]:
    """Let schedules fire every second for a while, on SQLite."""
    return await fire_every_second(options, stores=True)


async def every_second_unkept(options: argparse.Namespace) -> dict[str, Any]:
    """Let schedules fire every second for a while; nobody keeps the jobs."""
    return await fire_every_second(options, stores=False)


async def fire_every_second(options: argparse.Namespace, *, stores: bool) -> dict[str, Any]:
    """Let schedules fire, and look at whole seconds after the first few."""
    schedules = [
        ScheduleConfig(cron="* * * * * *", job_type="bench.work", schedule_id=f"schedule-{number}")
        for number in range(options.schedules)
    ]
    async with trigger_of(schedules, SystemClock(), stores=stores) as (_, recorder):
        await asyncio.sleep(WARM_UP_SECONDS)
        gc.collect()
        gc.freeze()
        async with measuring_stalls() as stalls:
            first = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
            await asyncio.sleep(options.seconds + 2)
    return late(recorder.lateness(), first, options, stalls)


async def apscheduler_every_second(options: argparse.Namespace) -> dict[str, Any]:
    """Let APScheduler call as many functions every second, with its defaults and its store in memory."""
    asyncio_scheduler = importlib.import_module("apscheduler.schedulers.asyncio").AsyncIOScheduler
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    lateness: dict[datetime, list[float]] = {}

    async def work() -> None:
        pass

    def executed(event: Any) -> None:
        tick = event.scheduled_run_time
        lateness.setdefault(tick, []).append((datetime.now(UTC) - tick).total_seconds())

    scheduler = asyncio_scheduler(timezone="UTC")
    scheduler.add_listener(executed, importlib.import_module("apscheduler.events").EVENT_JOB_EXECUTED)
    for _ in range(options.schedules):
        scheduler.add_job(work, "cron", second="*")
    scheduler.start()
    await asyncio.sleep(WARM_UP_SECONDS)
    gc.collect()
    gc.freeze()
    async with measuring_stalls() as stalls:
        first = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        await asyncio.sleep(options.seconds + 2)
    scheduler.shutdown(wait=False)
    return late(lateness, first, options, stalls)


def late(
    lateness: dict[datetime, list[float]], first: datetime, options: argparse.Namespace, stalls: StallMeter
) -> dict[str, Any]:
    """Sum up the seconds that were looked at."""
    seconds = [first + timedelta(seconds=number) for number in range(options.seconds)]
    found = sorted(each for second in seconds for each in lateness.get(second, []))
    return {
        "ran": f"{len(found)} of {options.seconds * options.schedules}",
        "p50, ms": found[len(found) // 2] * 1000 if found else None,
        "p99, ms": found[len(found) * 99 // 100] * 1000 if found else None,
        "longest stall, ms": stalls.longest * 1000,
    }


async def evaluate(_: argparse.Namespace) -> dict[str, Any]:
    """Time the next tick of ordinary expressions; the instants differ, so that nothing is remembered."""
    zone, start, rounds = ZoneInfo("America/New_York"), datetime(2026, 1, 1, tzinfo=UTC), 5_000
    instants = [start + timedelta(seconds=7_919 * number) for number in range(rounds)]
    microseconds = {}
    for expression in EXPRESSIONS:
        spec = parse(canonical_cron(expression))
        began = time.perf_counter()
        for instant in instants:
            next_after(spec, zone, instant)
        microseconds[expression] = (time.perf_counter() - began) / rounds * 1_000_000
    return {f"{expression:16} us": value for expression, value in microseconds.items()}


CASES: dict[str, Case] = {
    "evaluate": evaluate,
    "burst": burst,
    "every_second": every_second,
    "every_second_unkept": every_second_unkept,
    "apscheduler": apscheduler_every_second,
}


def run_case(name: str, *, schedules: int = 0, seconds: int = 0, python: str = sys.executable) -> dict[str, Any]:
    """Run a case in a process of its own."""
    command = [python, __file__, "--case", name, "--schedules", str(schedules), "--seconds", str(seconds)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return result


def show(title: str, facts: dict[str, Any]) -> None:
    """Print one table."""
    print(f"\n{title}")
    for name, value in facts.items():
        print(f"  {name:34}{value:>14.2f}" if isinstance(value, float) else f"  {name:34}{value!s:>14}")


def peer_python() -> str | None:
    """Return an interpreter that has APScheduler 3."""
    if importlib.util.find_spec("apscheduler") is not None:
        return sys.executable
    is_there = any((PEER_PYTHON.parents[1] / "lib").glob("*/site-packages/apscheduler"))
    return str(PEER_PYTHON) if is_there else None


def main() -> None:
    """Run one case, or all of them one after another."""
    parser = argparse.ArgumentParser(description="Measure schedules.")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--schedules", type=int, default=100_000, help="how many in the burst (default: 100,000)")
    parser.add_argument("--seconds", type=int, default=10, help="how long schedules fire (default: 10)")
    options = parser.parse_args()
    if options.case is not None:
        configure_logging(level="WARNING")
        print(json.dumps(asyncio.run(CASES[options.case](options))))
        return
    print(f"Python {sys.version.split()[0]}, load {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} cores")
    show("next_after, America/New_York", run_case("evaluate"))
    show(f"{options.schedules} schedules, all due at one second", run_case("burst", schedules=options.schedules))
    python = peer_python()
    for count in (1_000, 10_000):
        title = f"{count} schedules every second, for {options.seconds} s"
        size = {"schedules": count, "seconds": options.seconds}
        show(f"{title}: Portico, on SQLite", run_case("every_second", **size))
        show(f"{title}: Portico, jobs not kept", run_case("every_second_unkept", **size))
        if python is None:
            print(f"\n{title}: APScheduler is not installed, and left out")
        else:
            show(f"{title}: APScheduler 3, in memory", run_case("apscheduler", python=python, **size))


if __name__ == "__main__":
    main()
