"""The queue in PostgreSQL does what the one in memory does."""

import asyncio
from typing import Any

import asyncpg
import pytest
from typing_extensions import override

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.ports.job_queue import JobQueueAdapter
from portico.testing.contracts import QueueModel
from tests.models import run_model


def model_in(url: str, schema: str) -> type[QueueModel]:
    class PostgresModel(QueueModel):
        @override
        def make_queue(self, **options: Any) -> JobQueueAdapter:
            self._options = options
            return DatabaseJobQueueAdapter(url, schema=schema, durability="process", pool_size=1, **options)

        @override
        def reopen_queue(self, queue: JobQueueAdapter) -> JobQueueAdapter:
            return self.make_queue(**self._options)

        @override
        def teardown(self) -> None:
            super().teardown()
            asyncio.run(drop(url, schema))

    return PostgresModel


async def drop(url: str, schema: str) -> None:
    connection = await asyncpg.connect(url)  # type: ignore[no-untyped-call] # - annotated in part
    try:
        await connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    finally:
        await connection.close()


def test_the_postgresql_queue_answers_as_the_one_in_memory(postgres_url: str, postgres_schema: str) -> None:
    run_model(model_in(postgres_url, postgres_schema), examples=16, steps=25)


@pytest.mark.soak
def test_the_postgresql_queue_answers_as_the_one_in_memory_at_length(postgres_url: str, postgres_schema: str) -> None:
    run_model(model_in(postgres_url, postgres_schema), examples=200, steps=60)
