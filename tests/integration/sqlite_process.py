"""What the tests of the SQLite queue run as processes of their own; prints one line for each thing that is certain."""

import asyncio
import resource
import signal
import sys
import uuid
from collections.abc import Awaitable, Callable
from functools import partial

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.exceptions import DatabaseError
from portico.ports.job import Job
from portico.ports.job_limits import ConcurrencyLimit

MOST_RUNNING = 3
LIMITED = (ConcurrencyLimit(MOST_RUNNING, queue_name="limited"),)


def job(**payload: object) -> Job:
    return Job(id=uuid.uuid4(), queue_name="default", job_type="process.work", payload=payload)


def say(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def produce(queue: DatabaseJobQueueAdapter) -> None:
    """Enqueue until killed, one by one and in batches."""
    while True:
        say((await queue.enqueue(job(n=1))).id)
        for stored in await queue.enqueue_many([job(n=number) for number in range(5)]):
            say(stored.id)


async def hold(queue: DatabaseJobQueueAdapter, name: str = "default") -> None:
    """Claim what is there and do nothing with it until killed."""
    for claimed in await queue.dequeue_many(name, 100, timeout=10):
        say(claimed.id)
    say("holding")
    await asyncio.sleep(3600)


async def drain(queue: DatabaseJobQueueAdapter) -> None:
    """Work until nothing is left."""
    while jobs := await queue.dequeue_many("default", 7, timeout=0.5):
        answers = await queue.acknowledge_many([claimed.id for claimed in jobs])
        for claimed, answer in zip(jobs, answers, strict=True):
            say(f"{claimed.id} {answer}")


async def drain_limited(queue: DatabaseJobQueueAdapter) -> None:
    """Work one by one, several at once, until nothing is left; say how many were running meanwhile."""

    async def work() -> None:
        while (claimed := await queue.dequeue("limited", timeout=1)) is not None:
            say((await queue.get_queue_stats("limited")).running_count)
            await queue.acknowledge(claimed.id)

    await asyncio.gather(*(work() for _ in range(4)))


async def fill(queue: DatabaseJobQueueAdapter) -> None:
    """Enqueue until the file may not grow, then until it may again."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    await queue.initialize()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, hard))
    stored = 0
    try:
        while True:
            await queue.enqueue(job(text="x" * 10_000))
            stored += 1
    except DatabaseError as error:
        say(error.message)
    counted = (await queue.get_queue_stats("default")).pending_count
    say("consistent" if counted == stored else f"stored {stored}, counted {counted}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await queue.enqueue(job(text="x" * 10_000))
    say("works again")
    await queue.close()


ROLES: dict[str, Callable[[DatabaseJobQueueAdapter], Awaitable[None]]] = {
    "produce": produce,
    "hold": hold,
    "hold_limited": partial(hold, name="limited"),
    "drain": drain,
    "drain_limited": drain_limited,
    "fill": fill,
}


async def main(role: str, url: str) -> None:
    await ROLES[role](DatabaseJobQueueAdapter(url, limits=LIMITED))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
