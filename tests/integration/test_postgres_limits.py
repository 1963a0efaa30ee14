"""What PostgreSQL makes of limits beyond the promises of every queue: many workers, races, kills, long lines."""

import asyncio
import random
import signal
import sys
import uuid
from collections import Counter
from contextlib import AsyncExitStack, suppress
from typing import Any, ClassVar

import pytest

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.store.postgres import store as postgres_store
from portico.adapters.store.postgres.failures import Fate, fate_of
from portico.ports.job import Job
from portico.ports.job_limits import ConcurrencyLimit, JobLimit, RateLimit
from tests.schemas import opened

pytestmark = pytest.mark.asyncio

QUEUE = "work"
ONE = [ConcurrencyLimit(1, job_type="one")]
_HOLDER = """
import asyncio, sys
from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.ports.job_limits import ConcurrencyLimit

async def main():
    queue = DatabaseJobQueueAdapter(
        sys.argv[1], schema=sys.argv[2], lease_seconds=0.5, limits=[ConcurrencyLimit(1, job_type="one")]
    )
    await queue.dequeue("work", timeout=0)
    print("holds", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def job(job_type: str = "one", **fields: Any) -> Job:
    known: dict[str, Any] = {"id": uuid.uuid4(), "queue_name": QUEUE, "job_type": job_type, "payload": {}}
    return Job(**{**known, **fields})


async def test_a_claim_counts_a_run_that_ends_just_then_when_its_end_is_certain(
    postgres_url: str, postgres_schema: str, connection: Any
) -> None:
    async with opened(postgres_url, postgres_schema, limits=ONE) as queue:
        first, second = await queue.enqueue_many([job(), job()])
        assert await queue.dequeue(QUEUE, timeout=0) is not None
        async with connection.transaction():
            await connection.execute(
                f"SELECT {postgres_schema}.complete(ARRAY[$1::uuid], ARRAY[NULL::bigint], ARRAY[NULL], NULL)", first.id
            )
            claiming = asyncio.create_task(queue.dequeue(QUEUE, timeout=0))
            done, _ = await asyncio.wait([claiming], timeout=0.2)
            assert not done
        claimed = await asyncio.wait_for(claiming, 5)
        assert claimed is not None
        assert claimed.id == second.id


async def test_an_end_that_is_taken_back_frees_nothing(
    postgres_url: str, postgres_schema: str, connection: Any
) -> None:
    async with opened(postgres_url, postgres_schema, limits=ONE) as queue:
        first, _ = await queue.enqueue_many([job(), job()])
        assert await queue.dequeue(QUEUE, timeout=0) is not None
        ending = connection.transaction()
        await ending.start()
        await connection.execute(
            f"SELECT {postgres_schema}.complete(ARRAY[$1::uuid], ARRAY[NULL::bigint], ARRAY[NULL], NULL)", first.id
        )
        claiming = asyncio.create_task(queue.dequeue(QUEUE, timeout=0))
        await asyncio.sleep(0.05)
        await ending.rollback()
        assert await asyncio.wait_for(claiming, 5) is None
        assert await queue.acknowledge(first.id)
        assert await queue.dequeue(QUEUE, timeout=0) is not None


async def test_the_slot_of_a_killed_worker_is_free_when_its_lease_is_over(
    postgres_url: str, postgres_schema: str
) -> None:
    async with opened(postgres_url, postgres_schema, limits=ONE, lease_seconds=0.5) as queue:
        await queue.enqueue_many([job(), job()])
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _HOLDER, postgres_url, postgres_schema, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"holds\n"
        assert await queue.dequeue(QUEUE, timeout=0) is None
        process.send_signal(signal.SIGKILL)
        await process.wait()
        claimed = await asyncio.wait_for(queue.dequeue(QUEUE, timeout=10), 5)
        assert claimed is not None
        assert claimed.crash_count == 1
        assert await queue.dequeue(QUEUE, timeout=0) is None
        assert await queue.acknowledge(claimed.id)
        assert await queue.dequeue(QUEUE, timeout=0) is not None


async def test_twenty_workers_keep_many_limits_and_nobody_waits_for_each_other(
    postgres_url: str, postgres_schema: str, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled_back = _noted_rollbacks(monkeypatch)
    crowd = Crowd()
    async with AsyncExitStack() as stack:
        queues = [
            await stack.enter_async_context(
                opened(postgres_url, postgres_schema, limits=Crowd.limits, pool_size=1, durability="process")
            )
            for _ in range(20)
        ]
        await queues[0].enqueue_many(crowd.jobs)
        watching = asyncio.create_task(crowd.watch(connection, postgres_schema))
        async with asyncio.timeout(60):
            await asyncio.gather(*(crowd.work(queue) for queue in queues))
        assert not watching.done()
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    assert rolled_back == []
    for table in ("live_job", "slot_run"):
        assert await connection.fetchval(f"SELECT count(*) FROM {postgres_schema}.{table}") == 0


class Crowd:
    """Many workers, jobs that come under many limits, and runs that end in many ways."""

    limits: ClassVar[list[JobLimit]] = [
        ConcurrencyLimit(7),
        ConcurrencyLimit(4, job_type="a"),
        ConcurrencyLimit(3, job_type="b"),
        ConcurrencyLimit(5, queue_name="one"),
        ConcurrencyLimit(1, key="tenant"),
        RateLimit(40, per_seconds=0.2, job_type="b"),
    ]

    def __init__(self) -> None:
        # so that a failure can be repeated
        self._chance = random.Random(3)
        self.jobs = [
            job(
                self._chance.choice("abc"),
                queue_name=self._chance.choice(["one", "two"]),
                payload={"tenant": self._chance.randrange(12)},
            )
            for _ in range(300)
        ]
        self._left = {each.id for each in self.jobs}

    async def work(self, queue: DatabaseJobQueueAdapter) -> None:
        names = self._chance.sample(["one", "two"], 2)
        while self._left:
            for name in names:
                for each in await queue.dequeue_many(name, 5, timeout=0.02):
                    await asyncio.sleep(0.002)
                    await self._end(queue, each)

    async def watch(self, connection: Any, schema: str) -> None:
        while True:
            rows = await connection.fetch(
                f"SELECT job_type, queue_name, payload ->> 'tenant' FROM {schema}.live_job WHERE state = 2"
            )
            kinds, queues, tenants = (Counter(row[place] for row in rows) for place in range(3))
            assert len(rows) <= 7
            assert kinds["a"] <= 4
            assert kinds["b"] <= 3
            assert queues["one"] <= 5
            assert max(tenants.values(), default=0) <= 1

    async def _end(self, queue: DatabaseJobQueueAdapter, each: Job) -> None:
        match self._chance.randrange(8):
            case 0 if each.retry_count == 0:
                assert await queue.reject(each.id)
                return
            case 1:
                assert await queue.release(each.id)
                return
            case 2:
                assert await queue.reject(each.id, requeue=False)
            case _:
                assert await queue.acknowledge(each.id)
        self._left.discard(each.id)


def _noted_rollbacks(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    rolled_back: list[BaseException] = []

    def noted_fate_of(error: BaseException) -> Fate:
        fate = fate_of(error)
        if fate is Fate.ROLLED_BACK:
            rolled_back.append(error)
        return fate

    monkeypatch.setattr(postgres_store, "fate_of", noted_fate_of)
    return rolled_back


@pytest.mark.parametrize("waiting", [100, 5000])
async def test_jobs_behind_a_full_slot_cost_a_claim_nothing(
    postgres_url: str, postgres_schema: str, connection: Any, waiting: int
) -> None:
    async with opened(postgres_url, postgres_schema, limits=ONE) as holder:
        await holder.enqueue(job())
        assert await holder.dequeue(QUEUE, timeout=0) is not None
        async with opened(postgres_url, postgres_schema, limits=ONE) as queue:
            await queue.enqueue_many([job() for _ in range(waiting)])
            assert await queue.dequeue(QUEUE, timeout=0) is None
        # connections that are closed have told their statistics
        before = await _read(connection, postgres_schema)
        async with opened(postgres_url, postgres_schema, limits=ONE) as queue:
            for _ in range(20):
                await queue.enqueue(job("other"))
                assert await queue.dequeue(QUEUE, timeout=0) is not None
                assert await queue.dequeue(QUEUE, timeout=0) is None
        assert await _read(connection, postgres_schema) - before < 1000


async def _read(connection: Any, schema: str) -> int:
    """Return how many rows of unfinished jobs were read, in whatever way."""
    count: int = await connection.fetchval(
        "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables "
        "WHERE schemaname = $1 AND relname = 'live_job'",
        schema,
    )
    return count


async def test_a_long_line_of_jobs_that_wait_for_one_slot_after_the_other_ends(
    postgres_url: str, postgres_schema: str
) -> None:
    limits = [ConcurrencyLimit(1, key="first"), ConcurrencyLimit(1, key="second")]
    async with opened(postgres_url, postgres_schema, limits=limits) as queue:
        holder = await queue.enqueue(job(payload={"first": 1}))
        assert await queue.dequeue(QUEUE, timeout=0) is not None
        other = await queue.enqueue(job(payload={"second": 2}))
        assert await queue.dequeue(QUEUE, timeout=0) is not None
        await queue.enqueue_many([job(payload={"first": 1, "second": 2}) for _ in range(3000)])
        last = await queue.enqueue(job(payload={"first": 1}))
        assert await queue.dequeue(QUEUE, timeout=0) is None
        assert await queue.acknowledge(holder.id)
        async with asyncio.timeout(20):
            claimed = await queue.dequeue(QUEUE, timeout=0)
        assert claimed is not None
        assert claimed.id == last.id
        assert await queue.acknowledge_many([other.id, last.id]) == [True, True]
        assert len(await queue.dequeue_many(QUEUE, 10, timeout=0)) == 1


async def test_who_waits_for_a_key_holds_up_no_claim(postgres_url: str, postgres_schema: str, connection: Any) -> None:
    async with opened(postgres_url, postgres_schema, limits=ONE) as queue:
        await queue.enqueue(job())
        assert await queue.dequeue(QUEUE, timeout=0) is not None
        parked = await queue.enqueue(job(metadata={"idempotency_key": "k"}))
        assert await queue.dequeue(QUEUE, timeout=0) is None
        async with connection.transaction():
            await connection.execute(f"SELECT FROM {postgres_schema}.job_key FOR UPDATE")
            deleting = asyncio.create_task(queue.delete_job(parked.id))
            await asyncio.sleep(0.1)
            await queue.enqueue(job())
            assert await asyncio.wait_for(queue.dequeue(QUEUE, timeout=0), 5) is None
            assert not deleting.done()
        assert await asyncio.wait_for(deleting, 5)
