"""How many jobs run at once."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from portico.ports.job import Job
from portico.ports.job_limits import ConcurrencyLimit, JobLimit
from portico.ports.job_queue import JobQueueAdapter, QueueCapability, delays_retries
from portico.testing.contracts.queue_suite.foundation import (
    QUEUE,
    OpenLimited,
    QueueSuite,
    claim,
    new_job,
    require,
)

_ONE = ConcurrencyLimit(1, queue_name=QUEUE)
_Ending = Callable[[JobQueueAdapter, Job], Awaitable[Any]]


class Limits(QueueSuite):
    """Limits of what runs at once: what they count, and what frees a slot."""

    @pytest.mark.parametrize(
        "limit",
        [
            ConcurrencyLimit(2),
            ConcurrencyLimit(2, queue_name=QUEUE),
            ConcurrencyLimit(2, job_type="suite.work"),
            ConcurrencyLimit(2, queue_name=QUEUE, job_type="suite.work", key="n"),
        ],
    )
    @pytest.mark.asyncio
    async def test_no_more_jobs_run_than_a_limit_allows(self, limited: OpenLimited, limit: ConcurrencyLimit) -> None:
        queue = await limited(limit)
        jobs = await queue.enqueue_many([new_job() for _ in range(5)])
        running = await queue.dequeue_many(QUEUE, 10, timeout=0)
        assert _ids(running) == _ids(jobs[:2])
        assert await queue.dequeue_many(QUEUE, 10, timeout=0) == []
        assert await queue.acknowledge(jobs[1].id)
        assert _ids(await queue.dequeue_many(QUEUE, 10, timeout=0)) == _ids(jobs[2:3])
        assert await queue.acknowledge_many(_ids([jobs[0], jobs[2]])) == [True, True]
        assert _ids(await queue.dequeue_many(QUEUE, 10, timeout=0)) == _ids(jobs[3:])

    @pytest.mark.parametrize(
        ("limit", "payload"),
        [
            (ConcurrencyLimit(1, queue_name="other"), {}),
            (ConcurrencyLimit(1, job_type="suite.other"), {}),
            (ConcurrencyLimit(1, key="n"), {}),
            (ConcurrencyLimit(1, key="n"), {"n": None}),
            (ConcurrencyLimit(1, key="n.deeper"), {"n": 1}),
        ],
    )
    @pytest.mark.asyncio
    async def test_what_a_limit_is_not_about_runs(self, limited: OpenLimited, limit: JobLimit, payload: Any) -> None:
        queue = await limited(limit)
        await queue.enqueue_many([new_job(payload=payload) for _ in range(5)])
        assert len(await queue.dequeue_many(QUEUE, 10, timeout=0)) == 5

    @pytest.mark.asyncio
    async def test_the_limit_of_a_store_is_one_for_all_its_queues(self, limited: OpenLimited) -> None:
        queue = await limited(ConcurrencyLimit(1))
        here = await queue.enqueue(new_job())
        there = await queue.enqueue(new_job(queue_name="other"))
        assert (await claim(queue)).id == here.id
        assert await queue.dequeue("other", timeout=0) is None
        assert await queue.acknowledge(here.id)
        assert (await claim(queue, "other")).id == there.id

    @pytest.mark.asyncio
    async def test_each_value_of_a_key_has_its_own_limit(self, limited: OpenLimited) -> None:
        queue = await limited(ConcurrencyLimit(1, key="customer.id"))
        values: list[Any] = [1, "1", 1.5, True, False, 0, "", [1], {"a": 1}, "é", "x" * 1_000]
        await queue.enqueue_many([new_job(payload={"customer": {"id": value}}) for value in values * 2])
        running = await queue.dequeue_many(QUEUE, 100, timeout=0)
        assert [repr(job.payload["customer"]["id"]) for job in running] == [repr(value) for value in values]
        await queue.acknowledge_many(_ids(running))
        assert len(await queue.dequeue_many(QUEUE, 100, timeout=0)) == len(values)

    @pytest.mark.asyncio
    async def test_a_job_under_two_limits_needs_room_in_both(self, limited: OpenLimited) -> None:
        queue = await limited(ConcurrencyLimit(2, queue_name=QUEUE), ConcurrencyLimit(1, key="n"))
        jobs = await queue.enqueue_many([new_job(payload={"n": n}) for n in (1, 1, 2, 3, 1)])
        assert _ids(await queue.dequeue_many(QUEUE, 10, timeout=0)) == _ids([jobs[0], jobs[2]])
        assert await queue.acknowledge(jobs[2].id)
        assert _ids(await queue.dequeue_many(QUEUE, 10, timeout=0)) == [jobs[3].id]
        assert await queue.acknowledge(jobs[0].id)
        assert _ids(await queue.dequeue_many(QUEUE, 10, timeout=0)) == [jobs[1].id]
        assert await queue.acknowledge_many(_ids([jobs[1], jobs[3]])) == [True, True]
        assert _ids(await queue.dequeue_many(QUEUE, 10, timeout=0)) == [jobs[4].id]

    @pytest.mark.parametrize("batch", [1, 10])
    @pytest.mark.asyncio
    async def test_who_has_one_of_its_two_slots_leaves_it_to_the_next(self, limited: OpenLimited, batch: int) -> None:
        queue = await limited(ConcurrencyLimit(2, queue_name=QUEUE), ConcurrencyLimit(1, key="n"))
        jobs = await queue.enqueue_many([new_job(payload={"n": n}) for n in (1, 2, 1, 1, 3)])
        assert _ids(await queue.dequeue_many(QUEUE, 10, timeout=0)) == _ids(jobs[:2])
        assert await queue.acknowledge(jobs[1].id)
        # both that come first lack the slot of their key
        assert _ids(await queue.dequeue_many(QUEUE, batch, timeout=0)) == [jobs[4].id]
        assert await queue.acknowledge(jobs[0].id)
        assert _ids(await queue.dequeue_many(QUEUE, batch, timeout=0)) == [jobs[2].id]

    @pytest.mark.parametrize(
        "way",
        [
            "acknowledge", "acknowledge_many", "reject", "retry", "retry_at", "release", "release_later", "abort",
            "expire", "expire_by_claim", "close",
        ],
    )  # fmt: skip
    @pytest.mark.asyncio
    async def test_a_slot_is_free_however_its_run_ended(self, limited: OpenLimited, way: str) -> None:
        queue = await limited(_ONE)
        running = await queue.enqueue(new_job())
        await claim(queue)
        waiting = await queue.enqueue(new_job(priority=1))
        assert await queue.dequeue(QUEUE, timeout=0) is None
        await self._end(queue, running, way)
        assert (await claim(queue)).id == waiting.id
        assert await queue.dequeue(QUEUE, timeout=0) is None

    @pytest.mark.asyncio
    async def test_a_heartbeat_keeps_the_slot(self, limited: OpenLimited) -> None:
        queue = await limited(_ONE)
        require(queue, QueueCapability.LEASES)
        assert queue.lease_seconds is not None
        await queue.enqueue_many([new_job(), new_job()])
        await claim(queue)
        for _ in range(3):
            await self.pass_time(queue.lease_seconds * 0.6)
            assert await queue.heartbeat() == frozenset()
            assert await queue.dequeue(QUEUE, timeout=0) is None

    @pytest.mark.asyncio
    async def test_a_late_answer_frees_no_slot_of_the_next_run(self, limited: OpenLimited) -> None:
        queue = await limited(_ONE)
        require(queue, QueueCapability.LEASES)
        running = await queue.enqueue(new_job())
        await claim(queue)
        waiting = await queue.enqueue(new_job(priority=1))
        await self._end(queue, running, "expire")
        assert (await claim(queue)).id == waiting.id
        assert not await queue.acknowledge(running.id)
        assert await queue.dequeue(QUEUE, timeout=0) is None

    @pytest.mark.parametrize("ticks", [*range(8), 20, 50, 200, 1000])
    @pytest.mark.asyncio
    async def test_a_cancelled_claim_keeps_no_slot(self, limited: OpenLimited, ticks: int) -> None:
        queue = await limited(ConcurrencyLimit(2, queue_name=QUEUE))
        jobs = await queue.enqueue_many([new_job() for _ in range(4)])
        claiming = asyncio.create_task(queue.dequeue_many(QUEUE, 2, timeout=30))
        for _ in range(ticks):
            await asyncio.sleep(0)
        claiming.cancel()
        [answer] = await asyncio.gather(claiming, return_exceptions=True)
        done: set[Any] = set()
        async with asyncio.timeout(10):
            running = answer if isinstance(answer, list) else []
            while len(done) < len(jobs):
                assert len(running) <= 2
                await queue.acknowledge_many(_ids(running))
                done.update(_ids(running))
                running = await queue.dequeue_many(QUEUE, 10, timeout=0)
                await asyncio.sleep(0.001)
        assert done == set(_ids(jobs))

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.asyncio
    async def test_all_jobs_run_whatever_happens_on_the_way(self, limited: OpenLimited, seed: int) -> None:
        queue = await limited(ConcurrencyLimit(3), ConcurrencyLimit(2, queue_name=QUEUE), ConcurrencyLimit(1, key="n"))
        chance = random.Random(seed)  # noqa: S311 - a reproducible order, no secret
        queues = (QUEUE, "other")
        jobs = [
            new_job(queue_name=chance.choice(queues), payload={"n": chance.choice([None, 1, 2, 3])}, max_retries=99)
            for _ in range(40)
        ]
        left = set(_ids(await queue.enqueue_many(jobs)))
        running: dict[Any, Job] = {}
        while left:
            for queue_name in queues:
                claimed = await queue.dequeue_many(queue_name, chance.randint(1, 4), timeout=0)
                running |= {job.id: job for job in claimed}
            assert running, "jobs are left, and none may run"
            assert len(running) <= 3
            assert sum(job.queue_name == QUEUE for job in running.values()) <= 2
            values = [job.payload["n"] for job in running.values() if job.payload["n"] is not None]
            assert len(values) == len(set(values))
            ended = running.pop(chance.choice(list(running)))
            if chance.random() < 0.3:
                assert await queue.reject(ended.id)
            else:
                assert await queue.acknowledge(ended.id)
                left.discard(ended.id)

    @pytest.mark.asyncio
    async def test_nobody_ever_sees_more_running_than_allowed(self, limited: OpenLimited) -> None:
        queue = await limited(ConcurrencyLimit(3, queue_name=QUEUE))
        await queue.enqueue_many([new_job() for _ in range(100)])
        seen: set[int] = set()

        async def consume() -> None:
            while job := await queue.dequeue(QUEUE, timeout=0):
                seen.add((await queue.get_queue_stats(QUEUE)).running_count)
                await queue.acknowledge(job.id)

        async with asyncio.timeout(60):
            while (await queue.get_queue_stats(QUEUE)).completed_count < 100:
                await asyncio.gather(*(consume() for _ in range(20)))
        assert max(seen) <= 3

    async def _end(self, queue: JobQueueAdapter, job: Job, way: str) -> None:
        if way.startswith("expire"):
            require(queue, QueueCapability.LEASES)
            assert queue.lease_seconds is not None
            await self.pass_time(queue.lease_seconds + 0.1)
            if way == "expire":
                assert await queue.requeue_expired() == 1
        elif way == "close":
            require(queue, QueueCapability.RELEASE)
            await queue.close()
            await queue.initialize()
        elif way == "retry_at":
            require(queue, QueueCapability.DELAYED_RETRY)
            delaying: object = queue
            assert delays_retries(delaying)
            assert await delaying.reject(job.id, retry_at=self.soon(60))
        elif way == "release_later":
            require(queue, QueueCapability.RELEASE)
            assert await queue.release(job.id, available_at=self.soon(60))
        else:
            await _ENDINGS[way](queue, job)


async def _abort(queue: JobQueueAdapter, job: Job) -> None:
    require(queue, QueueCapability.ABORT)
    assert await queue.request_abort(job.id)
    assert await queue.reject(job.id)


_ENDINGS: dict[str, _Ending] = {
    "acknowledge": lambda queue, job: queue.acknowledge(job.id),
    "acknowledge_many": lambda queue, job: queue.acknowledge_many([job.id]),
    "reject": lambda queue, job: queue.reject(job.id, requeue=False),
    "retry": lambda queue, job: queue.reject(job.id),
    "release": lambda queue, job: queue.release(job.id),
    "abort": _abort,
}


def _ids(jobs: list[Job]) -> list[Any]:
    return [job.id for job in jobs]
