import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typing_extensions import override

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.exceptions import ConflictError, DatabaseError, UnsupportedError, ValidationError
from portico.kits.job import copy_queue
from portico.ports.job import Job, JobStatus
from portico.ports.job_queue import JobQueueAdapter, QueueCapability
from portico.testing import FakeClock

pytestmark = pytest.mark.asyncio


@pytest.fixture
def source(clock: FakeClock) -> MemoryJobQueueAdapter:
    return MemoryJobQueueAdapter(clock=clock)


@pytest.fixture
def target(clock: FakeClock) -> MemoryJobQueueAdapter:
    return MemoryJobQueueAdapter(clock=clock)


def new_job(**fields: Any) -> Job:
    fields = {"queue_name": "default", "job_type": "a", "payload": {}} | fields
    return Job(id=uuid.uuid4(), **fields)


async def finish(queue: JobQueueAdapter, job: Job) -> Job:
    """Enqueue the job, which must be the next, and complete it."""
    await queue.enqueue(job)
    claimed = await queue.dequeue(job.queue_name, timeout=0)
    assert claimed is not None
    assert claimed.id == job.id
    assert await queue.acknowledge(job.id)
    return job


async def claim_all(queue: JobQueueAdapter) -> list[uuid.UUID]:
    return [job.id for job in await queue.dequeue_many("default", 1_000, timeout=0)]


class CutOff(MemoryJobQueueAdapter):
    """A target that fails after so many calls."""

    def __init__(self, calls: int, clock: FakeClock) -> None:
        super().__init__(clock=clock)
        self.calls_left = calls

    def _count(self) -> None:
        self.calls_left -= 1
        if self.calls_left < 0:
            raise DatabaseError("the target went away")

    @override
    async def enqueue_many(self, jobs: Sequence[Job]) -> list[Job]:
        self._count()
        return await super().enqueue_many(jobs)

    @override
    async def cancel_job(self, job_id: uuid.UUID) -> bool:
        self._count()
        return await super().cancel_job(job_id)

    @override
    async def delete_job(self, job_id: uuid.UUID) -> bool:
        self._count()
        return await super().delete_job(job_id)


async def test_an_unfinished_job_comes_over_as_it_was_asked_for(
    source: MemoryJobQueueAdapter, target: MemoryJobQueueAdapter
) -> None:
    moment = datetime(2030, 6, 1, tzinfo=UTC)
    job = await source.enqueue(
        new_job(
            queue_name="mail",
            payload={"n": [1]},
            priority=7,
            scheduled_at=moment,
            created_by=uuid.UUID(int=1),
            metadata={"idempotency_key": "k", "unique_key": "u", "trace": "x"},
        )
    )

    done = await copy_queue(source, target)

    assert await target.get_job(job.id) == job
    assert (done.unfinished, done.copied, done.superseded, done.keys) == (1, 1, 0, 0)


async def test_jobs_run_in_the_order_of_the_source_whatever_their_pages(
    source: MemoryJobQueueAdapter, target: MemoryJobQueueAdapter
) -> None:
    jobs = await source.enqueue_many([new_job(priority=number % 3) for number in range(23)])

    await copy_queue(source, target, page_size=5)

    in_order = sorted(jobs, key=lambda job: -job.priority)
    assert await claim_all(target) == [job.id for job in in_order]


async def test_a_retried_job_keeps_the_retries_that_it_has_left(
    source: MemoryJobQueueAdapter, target: MemoryJobQueueAdapter
) -> None:
    job = await source.enqueue(new_job(max_retries=2))
    await claim_all(source)
    await source.reject(job.id, error_message="no luck")

    await copy_queue(source, target)

    for expected in (JobStatus.RETRYING, JobStatus.DEAD_LETTER):
        assert await claim_all(target) == [job.id]
        await target.reject(job.id)
        found = await target.get_job(job.id)
        assert found is not None
        assert found.status is expected


async def test_a_finished_job_stays_behind_and_its_key_comes_over(
    source: MemoryJobQueueAdapter, target: MemoryJobQueueAdapter
) -> None:
    keyed = await finish(source, new_job(metadata={"idempotency_key": "k", "unique_key": "u"}))
    plain = await finish(source, new_job())

    done = await copy_queue(source, target)

    assert (done.unfinished, done.keys) == (0, 1)
    assert await target.get_job(plain.id) is None
    assert await target.get_job(keyed.id) is None
    again = await target.enqueue(new_job(metadata={"idempotency_key": "k"}))
    assert (again.id, again.is_duplicate) == (keyed.id, True)
    assert not (await target.enqueue(new_job(metadata={"unique_key": "u"}))).is_duplicate


async def test_a_key_that_was_used_again_after_its_time_belongs_to_the_later_job(clock: FakeClock) -> None:
    source = MemoryJobQueueAdapter(clock=clock, idempotency_seconds=60)
    target = MemoryJobQueueAdapter(clock=clock, idempotency_seconds=60)
    await finish(source, new_job(metadata={"idempotency_key": "k"}))
    await clock.advance(61)
    waiting = await source.enqueue(new_job(metadata={"idempotency_key": "k"}))

    done = await copy_queue(source, target)

    assert (done.copied, done.superseded) == (1, 0)
    assert await claim_all(target) == [waiting.id]


async def test_running_jobs_are_refused_until_they_end(
    source: MemoryJobQueueAdapter, target: MemoryJobQueueAdapter
) -> None:
    job = await source.enqueue(new_job())
    await claim_all(source)

    with pytest.raises(ConflictError, match="1 jobs of the source are running"):
        await copy_queue(source, target)

    await source.release(job.id)
    assert (await copy_queue(source, target)).copied == 1


async def test_running_jobs_are_waited_for(
    source: MemoryJobQueueAdapter, target: MemoryJobQueueAdapter, clock: FakeClock
) -> None:
    job = await source.enqueue(new_job())
    await claim_all(source)

    copying = asyncio.create_task(copy_queue(source, target, wait_seconds=10, clock=clock))
    await clock.settle()
    assert not copying.done()
    await source.acknowledge(job.id)
    await clock.advance(1)

    assert (await copying).unfinished == 0


async def test_the_jobs_of_a_worker_that_died_come_over(
    source: MemoryJobQueueAdapter, target: MemoryJobQueueAdapter, clock: FakeClock
) -> None:
    job = await source.enqueue(new_job())
    await claim_all(source)
    await clock.advance(61)

    await copy_queue(source, target)

    assert await claim_all(target) == [job.id]


async def test_the_source_hands_out_no_job_that_was_copied(
    source: MemoryJobQueueAdapter, target: MemoryJobQueueAdapter
) -> None:
    await source.enqueue_many([new_job(), new_job(queue_name="other")])

    await copy_queue(source, target)

    assert await source.dequeue("default", timeout=0) is None
    assert await source.dequeue("other", timeout=0) is None


async def test_a_copy_that_was_cut_off_anywhere_can_be_repeated_until_it_is_whole(
    source: MemoryJobQueueAdapter, clock: FakeClock
) -> None:
    finished = [await finish(source, new_job(metadata={"idempotency_key": f"f{number}"})) for number in range(3)]
    waiting = await source.enqueue_many([new_job(metadata={"idempotency_key": f"w{number}"}) for number in range(5)])
    for calls in range(40):
        target = CutOff(calls, clock)
        try:
            await copy_queue(source, target, page_size=2)
        except DatabaseError:
            target.calls_left = 1_000
            await copy_queue(source, target, page_size=2)
        else:
            break
        assert await claim_all(target) == [job.id for job in waiting], f"cut off after {calls} calls"
        for job in [*finished, *waiting]:
            stored = await target.enqueue(replace(job, id=uuid.uuid4()))
            assert (stored.id, stored.is_duplicate) == (job.id, True), f"cut off after {calls} calls"
    else:
        pytest.fail("no copy came to its end")


async def test_a_repeated_copy_changes_nothing(source: MemoryJobQueueAdapter, target: MemoryJobQueueAdapter) -> None:
    await source.enqueue_many([new_job() for _ in range(5)])
    await copy_queue(source, target)

    again = await copy_queue(source, target)

    assert (again.unfinished, again.copied, again.superseded) == (5, 0, 0)
    assert (await target.get_queue_stats("default")).pending_count == 5


async def test_an_event_that_has_a_job_in_the_target_gets_no_second_one_and_is_named(
    source: MemoryJobQueueAdapter, target: MemoryJobQueueAdapter, logs: list[dict[str, Any]]
) -> None:
    here = await target.enqueue(new_job(metadata={"idempotency_key": "k"}))
    there = await source.enqueue(new_job(metadata={"idempotency_key": "k"}))

    done = await copy_queue(source, target)

    assert (done.unfinished, done.copied, done.superseded) == (1, 0, 1)
    told = [entry for entry in logs if entry["event"] == "job_copy_superseded"]
    assert [(entry["job_id"], entry["by"]) for entry in told] == [(str(there.id), str(here.id))]


async def test_a_job_that_was_revived_after_its_key_came_over_is_named(
    source: MemoryJobQueueAdapter, target: MemoryJobQueueAdapter
) -> None:
    job = await source.enqueue(new_job(metadata={"idempotency_key": "k"}))
    await source.cancel_job(job.id)
    await copy_queue(source, target)
    await source.retry_job(job.id)

    assert (await copy_queue(source, target)).superseded == 1


async def test_another_job_scheduled_for_the_end_of_time_is_not_taken_for_a_held_key(
    source: MemoryJobQueueAdapter, target: MemoryJobQueueAdapter
) -> None:
    await finish(source, new_job(metadata={"idempotency_key": "k"}))
    never = await target.enqueue(
        new_job(scheduled_at=datetime(9999, 1, 1, tzinfo=UTC), metadata={"idempotency_key": "k"})
    )

    await copy_queue(source, target)

    assert await target.get_job(never.id) == never


async def test_jobs_that_are_created_meanwhile_come_over_too(target: MemoryJobQueueAdapter, clock: FakeClock) -> None:
    class Busy(MemoryJobQueueAdapter):
        late = 3

        @override
        async def pause_queue(self, queue_name: str) -> None:
            await super().pause_queue(queue_name)
            if self.late:
                self.late -= 1
                await self.enqueue(new_job())

    source = Busy(clock=clock)
    await source.enqueue_many([new_job() for _ in range(4)])

    done = await copy_queue(source, target, page_size=2)

    assert (done.unfinished, done.copied) == (7, 7)
    assert (await target.get_queue_stats("default")).pending_count == 7


async def test_jobs_that_are_deleted_meanwhile_do_not_end_the_copy(
    target: MemoryJobQueueAdapter, clock: FakeClock
) -> None:
    class Pruned(MemoryJobQueueAdapter):
        last_of_a_page: uuid.UUID | None = None

        @override
        async def pause_queue(self, queue_name: str) -> None:
            await super().pause_queue(queue_name)
            if self.last_of_a_page is not None:
                await self.delete_job(self.last_of_a_page)

    source = Pruned(clock=clock)
    jobs = await source.enqueue_many([new_job() for _ in range(4)])
    source.last_of_a_page = jobs[2].id

    assert (await copy_queue(source, target, page_size=2)).unfinished == 3


async def test_a_source_in_which_jobs_are_created_all_the_time_is_refused(
    target: MemoryJobQueueAdapter, clock: FakeClock
) -> None:
    class Busy(MemoryJobQueueAdapter):
        @override
        async def requeue_expired(self) -> int:
            await self.enqueue(new_job())
            return await super().requeue_expired()

    source = Busy(clock=clock)
    await source.enqueue(new_job())

    with pytest.raises(ConflictError, match="does not come to rest"):
        await copy_queue(source, target)


async def test_a_job_that_the_target_cannot_hold_is_named(source: MemoryJobQueueAdapter, clock: FakeClock) -> None:
    class Small(MemoryJobQueueAdapter):
        @override
        async def enqueue_many(self, jobs: Sequence[Job]) -> list[Job]:
            if any("x" in job.payload for job in jobs):
                raise ValidationError("payload.x: too long")
            return await super().enqueue_many(jobs)

    fits, large = await source.enqueue_many([new_job(), new_job(payload={"x": "y"})])
    target = Small(clock=clock)

    with pytest.raises(ValidationError, match=rf"job {large.id}: payload\.x: too long"):
        await copy_queue(source, target)
    assert await target.get_job(fits.id) is not None


async def test_a_target_that_enforces_no_keys_is_refused(source: MemoryJobQueueAdapter, clock: FakeClock) -> None:
    class Keyless(MemoryJobQueueAdapter):
        @property
        @override
        def capabilities(self) -> frozenset[QueueCapability]:
            return super().capabilities - {QueueCapability.KEYS}

    with pytest.raises(UnsupportedError, match="Keyless"):
        await copy_queue(source, Keyless(clock=clock))


async def test_an_empty_source_is_copied_at_once(source: MemoryJobQueueAdapter, target: MemoryJobQueueAdapter) -> None:
    done = await copy_queue(source, target)

    assert (done.unfinished, done.copied, done.superseded, done.keys) == (0, 0, 0, 0)


async def test_a_job_that_is_overdue_comes_over_ready(
    source: MemoryJobQueueAdapter, target: MemoryJobQueueAdapter, clock: FakeClock
) -> None:
    job = await source.enqueue(new_job(scheduled_at=clock.now() + timedelta(seconds=5)))
    await clock.advance(6)

    await copy_queue(source, target)

    assert await claim_all(target) == [job.id]
