"""What the soak tests run as processes of their own; each thing that is certain is a line in a journal."""

import asyncio
import os
import random
import sys
import time
import uuid
from pathlib import Path

from portico.ports.job import Job
from portico.ports.job_limits import ConcurrencyLimit, RateLimit
from portico.ports.job_queue import JobQueueAdapter

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.soak.addresses import Address

KEYS = 40
CUSTOMERS = 4
LIMITS = [
    ConcurrencyLimit(4, queue_name="soak"),
    ConcurrencyLimit(2, job_type="soak.limited", key="customer.id"),
    RateLimit(20, per_seconds=0.5, job_type="soak.paced"),
]


class Journal:
    """Lines that are in the file when `say` returns, whoever dies then."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def say(self, *words: object) -> None:
        os.write(self._descriptor, (" ".join(map(str, (*words, time.monotonic()))) + "\n").encode())


async def produce(queue: JobQueueAdapter, journal: Journal) -> None:
    """Create jobs until killed: alone, in batches, and some under keys that others use too."""
    while True:
        for stored in await queue.enqueue_many([new_job() for _ in range(random.choice([1, 1, 7]))]):
            journal.say("enqueued", stored.id)
        keyed = await queue.enqueue(new_job(f"key-{random.randrange(KEYS)}"))
        journal.say("enqueued", keyed.id)
        await asyncio.sleep(random.uniform(0, 0.01))


async def work(queue: JobQueueAdapter, journal: Journal) -> None:
    """Run jobs until killed; one in ten fails the first time."""
    while True:
        await queue.requeue_expired()
        for job in await queue.dequeue_many("soak", random.randint(1, 5), timeout=0.2):
            journal.say("began", job.id)
            await asyncio.sleep(random.uniform(0, 0.004))
            journal.say("ends", job.id)
            if job.payload["fails"] and not job.retry_count:
                await queue.reject(job.id, error_message="on purpose")
            elif await queue.acknowledge(job.id):
                journal.say("completed", job.id)


async def produce_limited(queue: JobQueueAdapter, journal: Journal) -> None:
    """Create jobs that come under limits until killed."""
    while True:
        new = [new_limited_job("soak", "soak.limited"), new_limited_job("paced", "soak.paced")]
        for stored in await queue.enqueue_many(new):
            journal.say("enqueued", stored.id)
        await asyncio.sleep(random.uniform(0, 0.02))


async def work_limited(queue: JobQueueAdapter, journal: Journal) -> None:
    """Run several of them at once until killed; some fail, some are given back unrun."""

    async def run(job: Job) -> None:
        assert job.started_at is not None
        journal.say("began", job.id, job.job_type, job.payload["customer"]["id"], job.started_at.timestamp())
        await asyncio.sleep(random.uniform(0, 0.02))
        journal.say("ends", job.id)
        chance = random.random()
        if chance < 0.1:
            await queue.release(job.id)
        elif chance < 0.2:
            await queue.reject(job.id, error_message="on purpose")
        else:
            await queue.acknowledge(job.id)

    while True:
        await queue.requeue_expired()
        jobs = await queue.dequeue_many("soak", 6, timeout=0.02) + await queue.dequeue_many("paced", 3, timeout=0)
        await asyncio.gather(*map(run, jobs))


async def hold(queue: JobQueueAdapter, journal: Journal) -> None:
    """Claim one job, and answer when told so, however late that is."""
    job = await queue.dequeue("soak", timeout=30)
    assert job is not None
    journal.say("began", job.id)
    await asyncio.to_thread(sys.stdin.readline)
    answers = [
        await queue.acknowledge(job.id, {"by": "stale"}),
        await queue.reject(job.id),
        await queue.release(job.id),
    ]
    journal.say("answers", *answers)


def new_job(key: str | None = None) -> Job:
    return Job(
        id=uuid.uuid4(),
        queue_name="soak",
        job_type="soak.work",
        payload={"fails": random.random() < 0.1},
        priority=random.randrange(3),
        metadata={} if key is None else {"idempotency_key": key},
    )


def new_limited_job(queue_name: str, job_type: str) -> Job:
    customer = str(random.randrange(CUSTOMERS))
    return Job(
        id=uuid.uuid4(),
        queue_name=queue_name,
        job_type=job_type,
        payload={"customer": {"id": customer}},
        priority=random.randrange(2),
        max_retries=100,
        metadata={"partition_key": customer},
    )


async def main(role: str, told: str, journal: str) -> None:
    queue = Address.heard(told).open(limits=LIMITS if role.endswith("limited") else ())
    roles = (produce, work, hold, produce_limited, work_limited)
    await {each.__name__: each for each in roles}[role](queue, Journal(journal))
    await queue.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
