"""Nothing is lost and nothing is done twice at once, whoever dies or stops, and whenever."""

import asyncio
import random
import signal
import time
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from portico.ports.job import Job, JobStatus
from portico.ports.job_queue import JobQueueAdapter
from tests.soak.addresses import Address
from tests.soak.crew import LEASE_SECONDS, Crew, drain, wait_for
from tests.soak.process import new_job

FINAL = {status for status in JobStatus if status.is_final}


def runs_that_overlap(crew: Crew) -> list[str]:
    """Return the jobs that a worker began while another, alive and within its lease, was at them."""
    runs: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    began: dict[tuple[Path, str], float] = {}
    for journal, (event, job_id, *_, at) in crew.lines():
        if event == "began":
            began[journal, job_id] = float(at)
        elif event == "ends":
            runs[job_id].append((began.pop((journal, job_id)), float(at)))
    for (journal, job_id), begin in began.items():
        runs[job_id].append((begin, crew.deaths[journal]))
    return [
        job_id
        for job_id, intervals in runs.items()
        for (first, last), (following, _) in pairwise(sorted(intervals))
        if following < min(last, first + LEASE_SECONDS)
    ]


@pytest.mark.parametrize("kills", [10, pytest.param(200, marks=pytest.mark.soak)])
def test_kill_9_at_any_moment_loses_nothing_and_doubles_nothing(address: Address, crew: Crew, kills: int) -> None:
    chance = random.Random(kills)
    for role in ("produce", "produce", "work", "work"):
        wait_for(crew.start(role))
    for _ in range(kills):
        time.sleep(chance.uniform(0, 0.1))
        wait_for(crew.start(crew.kill(chance.randrange(len(crew.running)))))
    crew.kill_all()
    jobs = {str(job.id): job for job in asyncio.run(drain(address))}

    told = {job_id for _, (event, job_id, *_) in crew.lines() if event == "enqueued"}
    assert len(told) > 2 * kills
    assert [job_id for job_id in told if job_id not in jobs or jobs[job_id].status not in FINAL] == []
    completions = Counter(job_id for _, (event, job_id, *_) in crew.lines() if event == "completed")
    assert completions
    assert [job_id for job_id, count in completions.items() if count > 1] == []
    assert runs_that_overlap(crew) == []
    keys = Counter(job.metadata["idempotency_key"] for job in jobs.values() if "idempotency_key" in job.metadata)
    assert set(keys.values()) == {1}


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.soak)])
def test_a_worker_that_was_stopped_beyond_its_lease_can_change_nothing(
    address: Address, crew: Crew, rounds: int
) -> None:
    for _ in range(rounds):
        job = asyncio.run(outlive(address, crew))
        assert (job.status, job.result) == (JobStatus.COMPLETED, {"by": "successor"})


async def outlive(address: Address, crew: Crew) -> Job:
    queue = address.open()
    job_id = (await queue.enqueue(new_job())).id
    journal = crew.start("hold")
    await asyncio.to_thread(wait_for, journal)
    _, holder, _ = crew.running[-1]
    holder.send_signal(signal.SIGSTOP)
    before = await queue.get_job(job_id)
    taken = await take_over(queue, job_id)
    assert before is not None
    assert taken.crash_count == before.crash_count + 1
    holder.send_signal(signal.SIGCONT)
    await asyncio.to_thread(holder.communicate, b"answer\n")
    crew.running.pop()
    assert journal.read_text().splitlines()[-1].split()[:-1] == ["answers", "False", "False", "False"]
    assert await queue.get_job(job_id) == taken
    assert await queue.acknowledge(job_id, {"by": "successor"})
    found = await queue.get_job(job_id)
    await queue.close()
    assert found is not None
    return found


async def take_over(queue: JobQueueAdapter, job_id: UUID) -> Any:
    deadline = time.monotonic() + LEASE_SECONDS + 30
    while (taken := await queue.dequeue("soak", timeout=0.2)) is None:
        assert time.monotonic() < deadline, "the lease does not end"
        await queue.requeue_expired()
    assert taken.id == job_id
    return taken
