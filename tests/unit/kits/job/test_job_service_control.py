from typing import Any
from uuid import UUID, uuid4

import pytest
from typing_extensions import override

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.exceptions import UnsupportedError
from portico.kits.job import JobService
from portico.ports.job import Job, JobStatus
from portico.ports.job_queue import QueueCapability
from portico.testing import FakeClock

pytestmark = pytest.mark.asyncio


class TransactionalQueue(MemoryJobQueueAdapter):
    """Notes in which transactions it was asked to store."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock=clock)
        self.connections: list[object] = []

    @property
    @override
    def capabilities(self) -> frozenset[QueueCapability]:
        return super().capabilities | {QueueCapability.TRANSACTIONS}

    @override
    async def enqueue(self, job: Job, *, connection: object | None = None) -> Job:
        self.connections.append(connection)
        return await super().enqueue(job)


async def _status(service: JobService, job: Job) -> JobStatus:
    found = await service.get_job(job.id)
    assert found is not None
    return found.status


async def test_a_job_is_created_in_the_transaction_of_its_caller(clock: FakeClock) -> None:
    queue, connection = TransactionalQueue(clock), object()

    await JobService(queue).create_job("a", {}, connection=connection)
    await JobService(queue).create_job("a", {}, connection=None)

    assert queue.connections == [connection, None]


async def test_a_queue_without_transactions_says_so_and_stores_nothing(service: JobService) -> None:
    with pytest.raises(UnsupportedError, match=r"MemoryJobQueueAdapter.*'transactions'"):
        await service.create_job("a", {}, connection=object())

    assert await service.list_jobs() == []


@pytest.mark.parametrize("status", [JobStatus.PENDING, JobStatus.RETRYING])
async def test_to_abort_a_job_that_waits_is_to_cancel_it(
    service: JobService, queue: MemoryJobQueueAdapter, status: JobStatus
) -> None:
    job = await service.create_job("a", {})
    if status is JobStatus.RETRYING:
        await queue.dequeue("default", timeout=0)
        await queue.reject(job.id)

    assert await service.abort_job(job.id)

    found = await service.get_job(job.id)
    assert found is not None
    assert (found.status, found.error_message) == (JobStatus.FAILED, "Job cancelled")


async def test_a_running_job_is_asked_to_end(service: JobService, queue: MemoryJobQueueAdapter) -> None:
    job = await service.create_job("a", {})
    await queue.dequeue("default", timeout=0)

    assert await service.abort_job(job.id)

    assert await queue.abort_requests() == {job.id}


async def test_a_job_that_is_over_cannot_be_aborted(service: JobService, queue: MemoryJobQueueAdapter) -> None:
    job = await service.create_job("a", {})
    await queue.dequeue("default", timeout=0)
    await queue.acknowledge(job.id)

    assert not await service.abort_job(job.id)
    assert not await service.abort_job(uuid4())
    assert await _status(service, job) is JobStatus.COMPLETED


async def test_a_job_that_is_given_back_while_somebody_aborts_it_is_aborted(clock: FakeClock) -> None:
    class Restless(MemoryJobQueueAdapter):
        @override
        async def request_abort(self, job_id: UUID) -> bool:
            await self.release(job_id)
            return await super().request_abort(job_id)

    queue = Restless(clock=clock)
    service = JobService(queue)
    job = await service.create_job("a", {})
    await queue.dequeue("default", timeout=0)

    assert await service.abort_job(job.id)
    assert await _status(service, job) is JobStatus.FAILED


async def test_a_queue_that_cannot_abort_says_so_of_running_jobs_only(clock: FakeClock) -> None:
    class Plain(MemoryJobQueueAdapter):
        @property
        @override
        def capabilities(self) -> frozenset[Any]:
            return super().capabilities - {QueueCapability.ABORT}

    queue = Plain(clock=clock)
    service = JobService(queue)
    running, waiting = await service.create_job("a", {}), await service.create_job("a", {})
    await queue.dequeue("default", timeout=0)

    with pytest.raises(UnsupportedError, match=r"Plain.*'abort'"):
        await service.abort_job(running.id)
    assert await service.abort_job(waiting.id)
    assert not await service.abort_job(uuid4())


async def test_a_paused_queue_keeps_its_jobs_until_it_is_resumed(
    service: JobService, queue: MemoryJobQueueAdapter
) -> None:
    await service.pause_queue("default")
    job = await service.create_job("a", {})
    assert await queue.dequeue("default", timeout=0) is None

    await service.resume_queue("default")
    claimed = await queue.dequeue("default", timeout=0)

    assert claimed is not None
    assert claimed.id == job.id


async def test_a_job_that_does_not_run_can_be_deleted(service: JobService, queue: MemoryJobQueueAdapter) -> None:
    job, running = await service.create_job("a", {}, priority=-1), await service.create_job("a", {})
    await queue.dequeue("default", timeout=0)

    assert await service.delete_job(job.id)
    assert not await service.delete_job(running.id)
    assert await service.get_job(job.id) is None
