"""Exactly one job for each tick: replicas with wrong clocks that are killed, and a process that is stopped."""

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from portico.adapters.job_trigger.schedule_trigger import ScheduleTrigger
from portico.kits.job import JobService
from portico.ports.job import Job
from tests.integration.schedule_process import queue_of, schedules_of

SCRIPT = Path(__file__).with_name("schedule_process.py")
ROOT = SCRIPT.parents[2]
SKEWS = (-0.8, -0.3, 0.0, 0.4, 0.9)
SCHEDULES = 10
PAGE = 1_000


@pytest.fixture
def sqlite_place(tmp_path: Path) -> dict[str, Any]:
    return {"url": f"sqlite:///{tmp_path}/jobs.db"}


@pytest.fixture
def postgres_place(postgres_url: str, postgres_schema: str) -> dict[str, Any]:
    return {"url": postgres_url, "schema": postgres_schema}


@pytest.fixture
def redis_place(redis_url: str, redis_prefix: str) -> dict[str, Any]:
    return {"url": redis_url, "prefix": redis_prefix}


@contextmanager
def replica(plan: Mapping[str, Any]) -> Iterator[subprocess.Popen[str]]:
    child = start(plan)
    try:
        yield child
    finally:
        end(child)


def start(plan: Mapping[str, Any]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.integration.schedule_process", json.dumps(plan)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def end(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.wait()
    assert child.stdout is not None
    child.stdout.close()


def wait_until_started(child: subprocess.Popen[str]) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        if line.strip() == "started":
            return
    pytest.fail("the replica ended before it had started")


def plan_of(place: Mapping[str, Any], *, ticks: int, every: float, misfires: Sequence[str]) -> dict[str, Any]:
    """Return the plan, after a first replica has begun the schedules: from then on nothing is too early to count."""
    # a whole second, so that the ticks are easily counted
    begin = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
    plan = {
        "place": dict(place),
        "start": begin.isoformat(),
        "end": (begin + timedelta(seconds=every * ticks)).isoformat(),
        "every": every,
        "misfires": list(misfires),
        "skew": 0.0,
        "deaths_per_tick": 0.0,
    }
    asyncio.run(begin_schedules(plan))
    return plan


async def begin_schedules(plan: Mapping[str, Any]) -> None:
    queue = queue_of(plan["place"])
    trigger = ScheduleTrigger(JobService(queue), schedules_of(plan), store=queue.trigger_store())
    await trigger.start()
    await trigger.stop()
    await queue.close()


async def jobs_at(place: Mapping[str, Any]) -> list[Job]:
    queue = queue_of(place)
    await queue.initialize()
    jobs: list[Job] = []
    try:
        while page := await queue.list_jobs(limit=PAGE, after=jobs[-1].id if jobs else None):
            jobs += page
    finally:
        await queue.close()
    return jobs


def ticks_of(jobs: list[Job]) -> Counter[tuple[str, datetime]]:
    return Counter((job.metadata["schedule_id"], datetime.fromisoformat(job.metadata["scheduled_for"])) for job in jobs)


def expected_ticks(plan: Mapping[str, Any]) -> Counter[tuple[str, datetime]]:
    before = datetime.fromisoformat(plan["start"]) - timedelta(days=1)
    return Counter((each.schedule_id, tick) for each in schedules_of(plan) for tick in each.ticks().after(before))


def live_and_die(plan: Mapping[str, Any], chance: random.Random) -> int:
    """Run five replicas until the last tick is past; those that die, or are killed, are started again."""
    plans = [{**plan, "skew": skew} for skew in SKEWS]
    until = datetime.fromisoformat(plan["end"]) + timedelta(seconds=max(SKEWS) - min(SKEWS))
    children = [start(each) for each in plans]
    deaths = 0
    try:
        while datetime.now(UTC) < until:
            time.sleep(0.05)
            if chance.random() < 0.02:
                chance.choice(children).kill()
            for number, child in enumerate(children):
                if child.poll() is not None:
                    deaths += 1
                    end(child)
                    children[number] = start(plans[number])
    finally:
        for child in children:
            end(child)
    return deaths


def check(place: Mapping[str, Any], *, ticks: int, every: float) -> None:
    plan = plan_of(place, ticks=ticks // SCHEDULES, every=every, misfires=["all"] * SCHEDULES)
    deaths = live_and_die({**plan, "deaths_per_tick": 1 / 250}, random.Random(7))
    # one that comes back to what the dead have left
    with replica(plan) as last:
        wait_until_started(last)
        deadline = time.monotonic() + 30
        while len(jobs := asyncio.run(jobs_at(place))) < ticks and time.monotonic() < deadline:
            time.sleep(0.2)
    assert deaths > 0
    assert ticks_of(jobs) == expected_ticks(plan)
    assert len(jobs) == ticks


def test_replicas_that_die_make_one_job_a_tick_on_sqlite(sqlite_place: dict[str, Any]) -> None:
    check(sqlite_place, ticks=500, every=0.06)


def test_replicas_that_die_make_one_job_a_tick_on_postgresql(postgres_place: dict[str, Any]) -> None:
    check(postgres_place, ticks=500, every=0.06)


def test_replicas_that_die_make_one_job_a_tick_on_redis(redis_place: dict[str, Any]) -> None:
    check(redis_place, ticks=500, every=0.06)


@pytest.mark.soak
def test_ten_thousand_ticks_are_ten_thousand_jobs_on_sqlite(sqlite_place: dict[str, Any]) -> None:
    check(sqlite_place, ticks=10_000, every=0.2)


@pytest.mark.soak
def test_ten_thousand_ticks_are_ten_thousand_jobs_on_postgresql(postgres_place: dict[str, Any]) -> None:
    check(postgres_place, ticks=10_000, every=0.2)


@pytest.mark.soak
def test_ten_thousand_ticks_are_ten_thousand_jobs_on_redis(redis_place: dict[str, Any]) -> None:
    check(redis_place, ticks=10_000, every=0.2)


def test_a_process_that_was_stopped_for_five_seconds_catches_up_as_it_should(sqlite_place: dict[str, Any]) -> None:
    plan = plan_of(sqlite_place, ticks=8, every=1.0, misfires=["all", "once", "skip"])
    first = datetime.fromisoformat(plan["start"])
    with replica(plan) as child:
        wait_until_started(child)
        sleep_until(first + timedelta(seconds=1.5))
        child.send_signal(signal.SIGSTOP)
        time.sleep(5)
        child.send_signal(signal.SIGCONT)
        sleep_until(first + timedelta(seconds=8))
    made: dict[str, list[int]] = {}
    for schedule_id, tick in sorted(ticks_of(asyncio.run(jobs_at(sqlite_place))).elements()):
        made.setdefault(schedule_id, []).append(round((tick - first).total_seconds()))

    # ticks 2 to 6 came due while it stood still; the last of them is on time, or as good as
    assert made == {
        "schedule-0": [0, 1, 2, 3, 4, 5, 6, 7],
        "schedule-1": [0, 1, 6, 7],
        "schedule-2": [0, 1, 6, 7],
    }


def sleep_until(moment: datetime) -> None:
    time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))
