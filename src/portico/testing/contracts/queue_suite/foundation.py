"""What the parts of the suite share: the hooks of an adapter's author, and small verbs."""

import asyncio
import inspect
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
import pytest_asyncio

from portico.ports.clock import Clock
from portico.ports.job import Job, JobStatus
from portico.ports.job_limits import JobLimit
from portico.ports.job_queue import JobQueueAdapter, QueueCapability
from portico.runtime.clock import SystemClock
from portico.testing.clock import FakeClock

QUEUE = "contract"

OpenLimited = Callable[..., Awaitable[JobQueueAdapter]]
"""Opens a queue with the limits that it is called with."""


class QueueSuite(ABC):
    """The hooks."""

    clock: Clock = SystemClock()
    """The clock of the queues that `make_queue` returns; where it is a `FakeClock`, nothing waits for real."""
    idempotency_seconds: ClassVar[float] = 604_800
    """How long the queue holds idempotency keys; tests of their end need a `FakeClock`."""
    longest_real_wait_seconds: ClassVar[float] = 1.0
    """Tests that would wait longer than this without a `FakeClock` are skipped."""

    @abstractmethod
    def make_queue(self) -> Any:
        """Return a new adapter on an empty store, not initialised (or a coroutine of one)."""

    def make_second_queue(self) -> Any:
        """Return another adapter on the store of the last `make_queue`; for adapters that are SHARED."""
        pytest.skip("make_second_queue is not given")

    def make_limited_queue(self, limits: Sequence[JobLimit]) -> Any:  # noqa: ARG002 - the parameter is for overrides
        """Return a new adapter with these limits (or a coroutine of one); for adapters that are capable of LIMITS.

        Where they are SHARED, all that are made in one test are on one store, and so is that of `make_second_queue`.
        """
        pytest.skip("make_limited_queue is not given")

    @pytest_asyncio.fixture
    async def queue(self) -> AsyncIterator[JobQueueAdapter]:
        """Yield an initialised queue; it is closed afterwards."""
        queue: JobQueueAdapter = await _now(self.make_queue())
        await queue.initialize()
        yield queue
        await queue.close()

    @pytest_asyncio.fixture
    async def second_queue(self, queue: JobQueueAdapter) -> AsyncIterator[JobQueueAdapter]:
        """Yield another queue on the same store."""
        require(queue, QueueCapability.SHARED)
        second: JobQueueAdapter = await _now(self.make_second_queue())
        await second.initialize()
        yield second
        await second.close()

    @pytest_asyncio.fixture
    async def limited(self) -> AsyncIterator[OpenLimited]:
        """Yield a function that opens a queue with limits; it is closed afterwards."""
        async with AsyncExitStack() as stack:

            async def open_limited(*limits: JobLimit) -> JobQueueAdapter:
                queue: JobQueueAdapter = await _now(self.make_limited_queue(limits))
                require(queue, QueueCapability.LIMITS)
                await queue.initialize()
                stack.push_async_callback(queue.close)
                return queue

            yield open_limited

    async def pass_time(self, seconds: float) -> None:
        """Let the queue's time pass."""
        if isinstance(self.clock, FakeClock):
            await self.clock.advance(seconds)
            return
        if seconds > self.longest_real_wait_seconds:
            pytest.skip(f"waiting {seconds} s needs a clock that can be moved")
        await asyncio.sleep(seconds)

    async def until_waiting(self, waiter: asyncio.Task[Any]) -> None:
        """Return when the task waits for the queue's time, or for a moment where nobody can know."""
        if not isinstance(self.clock, FakeClock):
            await asyncio.sleep(0.05)
            return
        while not (waiter.done() or self.clock.sleepers):
            await asyncio.sleep(0.001)

    def soon(self, seconds: float) -> datetime:
        """Return a moment of the queue's time."""
        return self.clock.now() + timedelta(seconds=seconds)


def new_job(**fields: Any) -> Job:
    """Return a job that nobody has stored yet."""
    known: dict[str, Any] = {"id": uuid.uuid4(), "queue_name": QUEUE, "job_type": "suite.work", "payload": {"n": 1}}
    return Job(**{**known, **fields})


def require(queue: JobQueueAdapter, *capabilities: QueueCapability) -> None:
    """Skip the test where the adapter does not claim to be able to."""
    missing = [capability for capability in capabilities if capability not in queue.capabilities]
    if missing:
        pytest.skip(f"the adapter is not capable of {', '.join(missing)}")


async def claim(queue: JobQueueAdapter, queue_name: str = QUEUE) -> Job:
    """Claim the job that must be there."""
    job = await queue.dequeue(queue_name, timeout=0)
    assert job is not None, "no job could be claimed"
    return job


async def stored(queue: JobQueueAdapter, job: Job) -> Job:
    """Return the job as it is now; it must be there."""
    found = await queue.get_job(job.id)
    assert found is not None, "the job is unknown"
    return found


async def job_in(queue: JobQueueAdapter, status: JobStatus) -> Job:
    """Bring a new job into a status by the nine basic methods."""
    if status is JobStatus.PENDING:
        return await queue.enqueue(new_job())
    # before whatever else waits, so that the claim is of this one
    job = await queue.enqueue(new_job(priority=9, max_retries=0 if status is JobStatus.DEAD_LETTER else 3))
    await claim(queue)
    if status is JobStatus.COMPLETED:
        assert await queue.acknowledge(job.id)
    elif status is not JobStatus.RUNNING:
        assert await queue.reject(job.id, requeue=status is not JobStatus.FAILED, error_message="failed")
    return await stored(queue, job)


async def _now(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
