"""Huey on SQLite or Redis."""

from huey import RedisHuey, SqliteHuey
from typing_extensions import override

from benchmarks.queues import marks, surroundings
from benchmarks.queues.contenders.client import Client, Payload

_POLL_SECONDS = 0.01


def _queue() -> SqliteHuey | RedisHuey:
    url = surroundings.url()
    if url.startswith("redis://"):
        return RedisHuey("bench", results=False, url=url)
    fsync = False if surroundings.variant() == "unsynced" else None
    return SqliteHuey("bench", results=False, filename=url.removeprefix("sqlite:///"), fsync=fsync)


def _run(payload: Payload) -> None:
    marks.record(payload["n"])


queue = _queue()
job = queue.task()(_run)


class HueyClient(Client):
    """Its client is synchronous and has no bulk call."""

    @override
    async def enqueue(self, payload: Payload) -> None:
        job(payload)


client = HueyClient


def work() -> None:
    """Run jobs until SIGTERM."""
    is_redis = surroundings.url().startswith("redis://")
    consumer = queue.create_consumer(
        workers=2 if is_redis else 1,
        worker_type="thread",
        periodic=False,
        initial_delay=_POLL_SECONDS,
        max_delay=_POLL_SECONDS,
    )
    consumer.run()
