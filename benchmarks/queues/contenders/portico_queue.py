"""Portico: one `JobService` per producer, one `WorkerManager` in one process."""

import asyncio
import signal
import uuid
from collections.abc import Sequence

from typing_extensions import override

from benchmarks.queues import marks, surroundings
from benchmarks.queues.contenders.client import Client, Payload, batches
from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter
from portico.kits.job import JobService, WorkerManager
from portico.ports.job import Job, JobResult
from portico.ports.job_handler import JobHandler
from portico.ports.job_queue import JobQueueAdapter
from portico.utils.logging import configure_logging

JOB_TYPE = "bench.noop"
QUEUE = "default"
CONCURRENCY = 100


class Noop(JobHandler):
    """Does nothing but say that it ran."""

    @property
    @override
    def job_type(self) -> str:
        return JOB_TYPE

    @override
    async def handle(self, job: Job) -> JobResult:
        marks.record(job.payload["n"])
        return JobResult(success=True)

    @override
    async def on_failure(self, job: Job, error: Exception) -> None:
        raise error


def new_job(payload: Payload) -> Job:
    """Build a job by hand, as `enqueue_many` takes it."""
    return Job(id=uuid.uuid4(), queue_name=QUEUE, job_type=JOB_TYPE, payload=payload)


def adapter() -> JobQueueAdapter:
    """Return the queue at the address that this process was told of."""
    url = surroundings.url()
    if url.startswith("redis://"):
        return RedisJobQueueAdapter(url)
    if surroundings.variant() == "power":
        return DatabaseJobQueueAdapter(url, durability="power")
    return DatabaseJobQueueAdapter(url)


class PorticoClient(Client):
    """Creates jobs one by one through the service, in bulk on the queue."""

    def __init__(self) -> None:
        configure_logging(level="warning")
        self._queue = adapter()
        self._service = JobService(job_queue=self._queue)

    @override
    async def open(self) -> None:
        await self._queue.initialize()

    @override
    async def close(self) -> None:
        await self._queue.close()

    @override
    async def enqueue(self, payload: Payload) -> None:
        await self._service.create_job(JOB_TYPE, payload)

    @override
    async def enqueue_many(self, payloads: Sequence[Payload]) -> None:
        for batch in batches(payloads):
            await self._queue.enqueue_many([new_job(payload) for payload in batch])


client = PorticoClient


async def _work() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    queue = adapter()
    worker = WorkerManager(job_queue=queue, handlers=[Noop()], concurrency=CONCURRENCY, queues=[QUEUE])
    await worker.start()
    await stop.wait()
    await worker.stop()
    await queue.close()


def work() -> None:
    """Run jobs until SIGTERM."""
    configure_logging(level="warning")
    surroundings.run(_work())
