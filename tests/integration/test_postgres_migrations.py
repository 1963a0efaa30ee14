"""A schema that an earlier version made is brought up to date while that version's workers go on."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.store.postgres.statements import migrations
from portico.ports.job_limits import ConcurrencyLimit

pytestmark = pytest.mark.asyncio

# as the version before limits had them
_VERSION = 5
_ENQUEUE = """
    SELECT refused FROM {schema}.enqueue(
        ARRAY[$1::uuid], ARRAY['work'], ARRAY['t'], ARRAY[0], ARRAY[3], NULL::timestamptz[], ARRAY[now()], NULL::uuid[],
        NULL::text[], ARRAY[$2::text], ARRAY['{}'], ARRAY['{}'], NULL::timestamptz, interval '1 day', 'off'
    ) AS refused"""
_ENQUEUE_ONE = """
    INSERT INTO {schema}.live_job (
        seq, id, queue_name, job_type, priority, max_retries, created_at, payload, metadata, state, run_at
    ) VALUES (nextval('{schema}.job_seq'), $1, 'work', 't', 0, 3, now(), '{}', '{}', 0, now())
    ON CONFLICT DO NOTHING RETURNING {schema}.is_new(id, 'off')"""
_CLAIM = """
    SELECT id, seq, due_in_seconds, came_back_to
    FROM {schema}.claim('work', 5, $1::bigint, 1::bigint, interval '1 minute', NULL, 5, 'crashed', 'cancelled')"""
_COMPLETE = """
    SELECT place FROM {schema}.complete($1::uuid[], ARRAY[$2::bigint], ARRAY[NULL::text], NULL::timestamptz) AS place"""
_REJECT = """
    SELECT place, queue_name, can_run FROM {schema}.reject(
        $1::uuid[], ARRAY[$2::bigint], ARRAY[0], ARRAY['no'], ARRAY[NULL::timestamptz], NULL, 'cancelled', 'off'
    )"""


class OldWorker:
    """Enqueues, claims and answers as the earlier version does, until it is stopped."""

    def __init__(self, connection: Any, schema: str) -> None:
        self._connection = connection
        self._schema = schema
        self.enqueued: set[uuid.UUID] = set()
        self.is_stopped = False

    async def run(self) -> None:
        token = 0
        while not self.is_stopped:
            token += 1
            job_ids = [uuid.uuid4() for _ in range(3)]
            assert await self._fetch(_ENQUEUE, job_ids[0], str(job_ids[0])) == []
            assert await self._fetch(_ENQUEUE_ONE, job_ids[1])
            assert await self._fetch(_ENQUEUE_ONE, job_ids[2])
            self.enqueued |= set(job_ids)
            claimed = [row["id"] for row in await self._fetch(_CLAIM, token) if row["id"] is not None][:2]
            for job_id, answer in zip(claimed, (_COMPLETE, _REJECT), strict=False):
                [row] = await self._fetch(answer, [job_id], token)
                assert row["place"] == 1

    async def _fetch(self, statement: str, *values: object) -> list[Any]:
        while True:
            # who waits for a migration that waits for him gives way and comes again, as workers do
            with suppress(asyncpg.DeadlockDetectedError):
                return list(await self._connection.fetch(statement.replace("{schema}", self._schema), *values))


Connect = Callable[[], Awaitable[Any]]


@pytest_asyncio.fixture
async def connect(postgres_url: str) -> AsyncIterator[Connect]:
    connections: list[Any] = []

    async def connected() -> Any:
        connections.append(await asyncpg.connect(postgres_url))  # type: ignore[no-untyped-call] # - annotated in part
        return connections[-1]

    yield connected
    for connection in connections:
        await connection.close()


async def test_workers_of_the_version_before_go_on_while_and_after_the_schema_is_migrated(
    postgres_url: str, postgres_schema: str, connect: Connect
) -> None:
    connection = await connect()
    await connection.execute(f"CREATE SCHEMA {postgres_schema}")
    await connection.execute(f"CREATE TABLE {postgres_schema}.schema_version AS SELECT {_VERSION} AS version")
    for script in migrations(postgres_schema)[:_VERSION]:
        await connection.execute(script)
    workers = [OldWorker(await connect(), postgres_schema) for _ in range(4)]
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    await asyncio.sleep(0.2)
    queue = DatabaseJobQueueAdapter(postgres_url, schema=postgres_schema, limits=[ConcurrencyLimit(2)])
    await asyncio.wait_for(queue.initialize(), 20)
    try:
        await asyncio.sleep(0.2)
        for worker in workers:
            worker.is_stopped = True
        await asyncio.wait_for(asyncio.gather(*tasks), 10)
        assert await connection.fetchval(f"SELECT version FROM {postgres_schema}.schema_version") > _VERSION
        rows = await connection.fetch(f"SELECT id FROM {postgres_schema}.job")
        assert len(rows) == sum(len(worker.enqueued) for worker in workers)
        assert {row["id"] for row in rows} == set().union(*(worker.enqueued for worker in workers))
        waiting = (await queue.get_queue_stats("work")).pending_count
        assert len(await queue.dequeue_many("work", 100, timeout=0)) == min(2, waiting)
    finally:
        await queue.close()
