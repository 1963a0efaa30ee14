"""Limits hold among processes that die at any moment, and no job waits for a slot that is free."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from portico.ports.job import JobStatus
from portico.ports.job_limits import ConcurrencyLimit, RateLimit
from tests.soak.addresses import Address
from tests.soak.crew import Crew, drain, wait_for
from tests.soak.process import CUSTOMERS, LIMITS

QUEUE_LIMIT, CUSTOMER_LIMIT, RATE = LIMITS
LIMITED, PACED = "soak.limited", "soak.paced"


@pytest.mark.parametrize("kills", [10, pytest.param(200, marks=pytest.mark.soak)])
def test_limits_hold_and_let_go_whoever_is_killed(address: Address, crew: Crew, kills: int) -> None:
    chance = random.Random(kills)
    for role in ("produce_limited", "work_limited", "work_limited", "work_limited"):
        wait_for(crew.start(role))
    for _ in range(kills):
        time.sleep(chance.uniform(0, 0.1))
        wait_for(crew.start(crew.kill(chance.randrange(len(crew.running)))))
    crew.kill(next(place for place, (role, *_) in enumerate(crew.running) if role == "produce_limited"))

    asyncio.run(wait_until_empty(address))
    crew.kill_all()
    jobs = {str(job.id): job for job in asyncio.run(drain(address, "paced"))}

    told = {job_id for _, (event, job_id, *_) in crew.lines() if event == "enqueued"}
    assert told
    assert [job_id for job_id in told if jobs[job_id].status is not JobStatus.COMPLETED] == []
    assert isinstance(QUEUE_LIMIT, ConcurrencyLimit)
    assert isinstance(CUSTOMER_LIMIT, ConcurrencyLimit)
    assert isinstance(RATE, RateLimit)
    assert most_at_once(runs(crew)) <= QUEUE_LIMIT.max_running
    assert all(most_at_once(runs(crew, str(customer))) <= CUSTOMER_LIMIT.max_running for customer in range(CUSTOMERS))
    starts = sorted(float(words[4]) for _, words in crew.lines() if words[0] == "began" and words[2] == PACED)
    assert len(starts) > RATE.max_started
    windows = zip(starts, starts[RATE.max_started :], strict=False)
    assert [first for first, beyond in windows if beyond - first < RATE.per_seconds] == []


async def wait_until_empty(address: Address) -> None:
    """Return when the workers have done all that comes under limits of concurrency."""
    queue = address.open()
    await queue.initialize()
    deadline = time.monotonic() + 60
    while (stats := await queue.get_queue_stats("soak")).pending_count + stats.running_count:
        assert time.monotonic() < deadline, f"stuck: {stats}"
        await asyncio.sleep(0.05)
    await queue.close()


def runs(crew: Crew, customer: str | None = None) -> Iterator[tuple[float, float]]:
    """Yield from when to when each limited job ran in a live process."""
    began: dict[tuple[Path, str], float] = {}
    for journal, (event, job_id, *words) in crew.lines():
        if event == "began" and words[0] == LIMITED and customer in (None, words[1]):
            began[journal, job_id] = float(words[-1])
        elif event == "ends" and (journal, job_id) in began:
            yield began.pop((journal, job_id)), float(words[-1])
    for (journal, _), begin in began.items():
        yield begin, next(death for path, death in crew.deaths.items() if path == journal)


def most_at_once(intervals: Iterable[tuple[float, float]]) -> int:
    """Return how many ran at the fullest moment."""
    changes: defaultdict[float, int] = defaultdict(int)
    for begin, end in intervals:
        changes[begin] += 1
        changes[end] -= 1
    most = running = 0
    for moment in sorted(changes):
        running += changes[moment]
        most = max(most, running)
    return most
