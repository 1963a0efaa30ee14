"""PostgreSQL when connections break, servers die, and poolers stand in between."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Self

import asyncpg
import pytest

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.store.postgres.jobs import PostgresJobs
from portico.adapters.store.postgres.store import PostgresStore
from portico.exceptions import DatabaseError
from portico.ports.job import Job, JobStatus
from tests.postgres_processes import PASSWORD, LossyWire, OwnServer
from tests.schemas import opened

pytestmark = pytest.mark.asyncio

QUEUE = "loss"


def job(**fields: Any) -> Job:
    known: dict[str, Any] = {"id": uuid.uuid4(), "queue_name": QUEUE, "job_type": "loss.work", "payload": {}}
    return Job(**{**known, **fields})


async def until_listening(queue: DatabaseJobQueueAdapter, seconds: float = 5) -> None:
    assert isinstance(queue._jobs, PostgresJobs)
    async with asyncio.timeout(seconds):
        while not queue._jobs._listener.is_listening:
            await asyncio.sleep(0.01)


async def test_an_enqueue_whose_reply_is_lost_creates_one_job(postgres_url: str, postgres_schema: str) -> None:
    async with LossyWire(postgres_url) as wire, opened(wire.url, postgres_schema) as queue:
        wire.lose_the_reply_to(".enqueue(")
        given = job(metadata={"idempotency_key": "event-1"})
        stored = await queue.enqueue(given)
        assert stored.id == given.id
        assert (await queue.get_queue_stats(QUEUE)).pending_count == 1


async def test_an_acknowledgement_whose_reply_is_lost_counts(postgres_url: str, postgres_schema: str) -> None:
    async with LossyWire(postgres_url) as wire, opened(wire.url, postgres_schema) as queue:
        first, second = await queue.enqueue_many([job(), job()])
        await queue.dequeue_many(QUEUE, 2, timeout=0)
        wire.lose_the_reply_to(".complete(")
        assert await queue.acknowledge_many([first.id, second.id, first.id]) == [True, True, True]
        assert (await queue.get_queue_stats(QUEUE)).completed_count == 2
        assert not await queue.acknowledge(first.id)


async def test_a_claim_whose_reply_is_lost_is_given_back_unburnt(postgres_url: str, postgres_schema: str) -> None:
    async with LossyWire(postgres_url) as wire, opened(wire.url, postgres_schema) as queue:
        stored = await queue.enqueue(job())
        wire.lose_the_reply_to(".claim(")
        with pytest.raises(DatabaseError):
            await queue.dequeue(QUEUE, timeout=0)
        again = await queue.dequeue(QUEUE, timeout=10)
        assert again is not None
        assert (again.id, again.retry_count, again.crash_count) == (stored.id, 0, 0)


async def test_a_rejection_whose_reply_is_lost_burns_one_retry(postgres_url: str, postgres_schema: str) -> None:
    async with LossyWire(postgres_url) as wire, opened(wire.url, postgres_schema) as queue:
        stored = await queue.enqueue(job())
        await queue.dequeue(QUEUE, timeout=0)
        wire.lose_the_reply_to(".reject(")
        with pytest.raises(DatabaseError):
            await queue.reject(stored.id)
        # the worker says it again
        assert not await queue.reject(stored.id)
        found = await queue.get_job(stored.id)
        assert found is not None
        assert (found.status, found.retry_count) == (JobStatus.RETRYING, 1)


async def test_a_lost_listener_costs_latency_only(postgres_url: str, postgres_schema: str) -> None:
    async with (
        LossyWire(postgres_url) as wire,
        opened(wire.url, postgres_schema) as waiting_queue,
        opened(postgres_url, postgres_schema) as queue,
    ):
        for _ in range(3):
            waiting = asyncio.create_task(waiting_queue.dequeue(QUEUE, timeout=30))
            await until_listening(waiting_queue)
            wire.cut()
            given = await queue.enqueue(job())
            try:
                claimed = await asyncio.wait_for(waiting, 10)
            except DatabaseError:
                claimed = await waiting_queue.dequeue(QUEUE, timeout=10)
            assert claimed is not None
            assert claimed.id == given.id


class Load:
    """Producers and a consumer that go on whatever happens to the store."""

    def __init__(self, queue: DatabaseJobQueueAdapter) -> None:
        self._queue = queue
        self._has_ended = False
        self.returned: set[uuid.UUID] = set()
        self.errors: list[Exception] = []

    async def __aenter__(self) -> Self:
        work = (self._produce, self._produce, self._produce, self._consume)
        self._tasks = [asyncio.create_task(self._repeat(each)) for each in work]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._has_ended = True
        await asyncio.gather(*self._tasks)

    async def until_more(self, count: int) -> None:
        before = len(self.returned)
        while len(self.returned) < before + count:
            await asyncio.sleep(0.01)

    async def _repeat(self, work: Callable[[], Awaitable[None]]) -> None:
        while not self._has_ended:
            try:
                await work()
            except DatabaseError as error:
                self.errors.append(error)
                await asyncio.sleep(0.02)

    async def _produce(self) -> None:
        self.returned.add((await self._queue.enqueue(job())).id)

    async def _consume(self) -> None:
        for claimed in await self._queue.dequeue_many(QUEUE, 20, timeout=0.1):
            await self._queue.acknowledge(claimed.id)


async def test_everything_that_was_enqueued_survives_kills_of_the_server_under_load(own_postgres: OwnServer) -> None:
    async with opened(own_postgres.url, "loaded", lease_seconds=1) as queue:
        async with Load(queue) as load:
            for _ in range(3):
                await load.until_more(100)
                await asyncio.to_thread(own_postgres.kill)
                await asyncio.to_thread(own_postgres.start)
            await load.until_more(100)
        # what was claimed when the server died comes back
        await asyncio.sleep(1.1)
        await queue.requeue_expired()
        while claimed := await queue.dequeue_many(QUEUE, 1000, timeout=0):
            await queue.acknowledge_many([each.id for each in claimed])
        completed = await queue.list_jobs(status=JobStatus.COMPLETED, limit=1_000_000)
    assert load.errors
    assert load.returned <= {each.id for each in completed}
    assert all(PASSWORD not in f"{error} {error.__cause__}" for error in load.errors)


async def test_a_pooler_is_noticed_and_a_listen_url_goes_around_it(
    postgres_url: str, pgbouncer_url: str, postgres_schema: str
) -> None:
    store = PostgresStore(pgbouncer_url, schema=postgres_schema)
    await store.open()
    assert await store.connect_listener() is None
    await store.close()
    async with (
        opened(pgbouncer_url, postgres_schema, listen_url=postgres_url) as waiting_queue,
        opened(pgbouncer_url, postgres_schema) as queue,
    ):
        waiting = asyncio.create_task(waiting_queue.dequeue(QUEUE, timeout=30))
        await until_listening(waiting_queue)
        await asyncio.sleep(0.05)
        await queue.enqueue(job())
        # while it listens it looks by itself once a second
        assert await asyncio.wait_for(waiting, 0.6) is not None


async def test_a_process_that_dies_leaves_its_jobs_to_others_when_its_leases_end(
    postgres_url: str, postgres_schema: str
) -> None:
    async with opened(postgres_url, postgres_schema) as queue:
        stored = await queue.enqueue(job())
        async with LossyWire(postgres_url) as wire:
            dying = DatabaseJobQueueAdapter(wire.url, schema=postgres_schema, lease_seconds=0.5)
            assert await dying.dequeue(QUEUE, timeout=0) is not None
        # nothing gets through any more: closing can only let go
        await dying.close()
        again = await queue.dequeue(QUEUE, timeout=10)
        assert again is not None
        assert (again.id, again.crash_count) == (stored.id, 1)


async def test_a_queue_may_be_used_in_one_event_loop_after_another(postgres_url: str, postgres_schema: str) -> None:
    queue = DatabaseJobQueueAdapter(postgres_url, schema=postgres_schema)

    async def works_and_listens() -> None:
        waiting = asyncio.create_task(queue.dequeue(QUEUE, timeout=5))
        await until_listening(queue)
        await queue.enqueue(job())
        claimed = await waiting
        assert claimed is not None
        assert await queue.acknowledge(claimed.id)
        await queue.close()

    for _ in range(2):
        await asyncio.to_thread(asyncio.run, works_and_listens())


async def test_a_process_listens_from_the_first_time_it_waits_and_not_to_create_jobs(
    postgres_url: str, postgres_schema: str
) -> None:
    async with opened(postgres_url, postgres_schema) as queue:
        await queue.enqueue(job())
        with pytest.raises(TimeoutError):
            await until_listening(queue, seconds=0.2)
        assert await queue.dequeue("nothing", timeout=0.01) is None
        await until_listening(queue)


async def test_what_others_ring_with_is_no_harm(postgres_url: str, postgres_schema: str) -> None:
    async with opened(postgres_url, postgres_schema) as queue:
        waiting = asyncio.create_task(queue.dequeue(QUEUE, timeout=30))
        connection = await asyncpg.connect(postgres_url)  # type: ignore[no-untyped-call] # - annotated in part
        for message in ("", "{", "7", "[" * 7000, '{"a": 1}', "[[], {}]", "null"):
            await connection.execute("SELECT pg_notify($1, $2)", f"portico_{postgres_schema}", message)
        await connection.close()
        await queue.enqueue(job())
        assert await asyncio.wait_for(waiting, 5) is not None


async def test_one_statement_may_not_run_on_a_connection_whose_caller_left(
    postgres_url: str, postgres_schema: str
) -> None:
    store = PostgresStore(postgres_url, schema=postgres_schema, pool_size=1)
    await store.open()
    try:
        blocker = await asyncpg.connect(postgres_url)  # type: ignore[no-untyped-call] # - annotated in part
        try:
            async with blocker.transaction():
                await blocker.execute(f"LOCK TABLE {postgres_schema}.live_job")
                leaving = asyncio.create_task(store.fetch("job_stats", QUEUE))
                await asyncio.sleep(0.1)
                leaving.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await leaving
            rows = await asyncio.wait_for(store.fetch("now"), 5)
            assert len(rows) == 1
        finally:
            await blocker.close()
    finally:
        await store.close()
