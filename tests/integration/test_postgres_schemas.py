"""How a PostgreSQL store is opened: logins, places, versions, and many who do it at once."""

import asyncio
import sys
import uuid
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.store.postgres.statements import migrations
from portico.adapters.store.postgres.store import PostgresStore
from portico.exceptions import ConfigurationError, DatabaseError
from portico.ports.job import Job
from tests.postgres_processes import PASSWORD, OwnServer, free_port

pytestmark = pytest.mark.asyncio

_PROCESS = """
import asyncio, sys
from portico.adapters.store.postgres.store import PostgresStore

async def main():
    store = PostgresStore(sys.argv[1], schema=sys.argv[2])
    await store.open()
    await store.close()

asyncio.run(main())
"""


async def execute(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url)  # type: ignore[no-untyped-call] # - annotated in part
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def open_and_close(url: str, schema: str = "portico", **options: Any) -> None:
    store = PostgresStore(url, schema=schema, **options)
    await store.open()
    await store.close()


async def test_ten_processes_open_a_new_schema_at_once(postgres_url: str, postgres_schema: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _PROCESS, postgres_url, postgres_schema, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(10)
    ]
    outputs = await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0] * 10, outputs
    version = await execute(postgres_url, f"SELECT version FROM {postgres_schema}.schema_version")
    assert version == len(migrations(postgres_schema))


async def test_a_newer_schema_is_refused_and_left_alone(postgres_url: str, postgres_schema: str) -> None:
    await open_and_close(postgres_url, postgres_schema)
    await execute(postgres_url, f"UPDATE {postgres_schema}.schema_version SET version = 1000")
    with pytest.raises(ConfigurationError, match=r"newer Portico: its version is 1000.*upgrade portico-jobs"):
        await open_and_close(postgres_url, postgres_schema)
    assert await execute(postgres_url, f"SELECT version FROM {postgres_schema}.schema_version") == 1000


async def test_a_migration_that_fails_leaves_nothing_behind(postgres_url: str, postgres_schema: str) -> None:
    await execute(postgres_url, f"CREATE SCHEMA {postgres_schema}")
    await execute(postgres_url, f"CREATE TABLE {postgres_schema}.event (note text)")
    with pytest.raises(DatabaseError, match="already exists"):
        await open_and_close(postgres_url, postgres_schema)
    tables = f"SELECT count(*) FROM pg_tables WHERE schemaname = '{postgres_schema}'"
    assert await execute(postgres_url, tables) == 1


async def test_a_wrong_password_is_a_configuration_error_that_does_not_repeat_it(own_postgres: OwnServer) -> None:
    with pytest.raises(ConfigurationError, match=r"refused the login.*user and password") as raised:
        await open_and_close(own_postgres.url_as("owner:wrong-secret"))
    assert "127.0.0.1" in str(raised.value)
    assert "wrong-secret" not in f"{raised.value!r} {raised.value.details} {raised.value.__cause__}"


async def test_an_unknown_database_is_named_with_the_way_out(own_postgres: OwnServer) -> None:
    with pytest.raises(ConfigurationError, match="database nowhere: the database does not exist: create it"):
        await open_and_close(own_postgres.url_as(f"owner:{PASSWORD}", "nowhere"))


async def test_a_user_who_may_not_create_a_schema_hears_what_to_grant(own_postgres: OwnServer) -> None:
    await execute(own_postgres.url, "CREATE ROLE guest LOGIN PASSWORD 'guest'")
    with pytest.raises(ConfigurationError, match="grant it CREATE on the database"):
        await open_and_close(own_postgres.url_as("guest:guest"), "guests")


async def test_a_user_with_the_grants_of_the_documentation_may_work(own_postgres: OwnServer) -> None:
    await open_and_close(own_postgres.url, "prepared")
    page = (Path(__file__).parents[2] / "docs" / "queues" / "postgresql.md").read_text()
    grants = [line for line in page.splitlines() if line.startswith("GRANT ")]
    assert grants
    await execute(own_postgres.url, "CREATE ROLE worker LOGIN PASSWORD 'worker'")
    for grant in grants:
        await execute(own_postgres.url, grant.replace("SCHEMA portico", "SCHEMA prepared"))
    queue = DatabaseJobQueueAdapter(own_postgres.url_as("worker:worker"), schema="prepared")
    await queue.enqueue(Job(id=uuid.uuid4(), queue_name="q", job_type="t", payload={}))
    claimed = await queue.dequeue("q", timeout=0)
    assert claimed is not None
    assert await queue.acknowledge(claimed.id)
    assert await queue.prune() == 0
    await queue.close()
    # it is not the owner: the server skips it with a warning
    await execute(own_postgres.url_as("worker:worker"), "VACUUM (SKIP_LOCKED, TRUNCATE off) prepared.live_job")


@pytest.mark.parametrize("secret", ["hidden/word", "hidden word:@", "%zz"])
async def test_a_url_that_the_driver_cannot_read_is_not_repeated(secret: str) -> None:
    with pytest.raises((ConfigurationError, DatabaseError)) as raised:
        await open_and_close(f"postgresql://user:{secret}@127.0.0.1:{free_port()}/jobs")
    shown = f"{raised.value!r} {raised.value.details} {raised.value.__cause__!r}"
    assert "hidden" not in shown
    assert "word" not in shown.replace("password", "")


async def test_a_server_that_is_not_there_is_a_database_error_that_names_it() -> None:
    port = free_port()
    with pytest.raises(
        DatabaseError, match=f"127.0.0.1:{port}, database jobs: does not answer.*is it running"
    ) as raised:
        await open_and_close(f"postgresql://user:{PASSWORD}@127.0.0.1:{port}/jobs")
    assert PASSWORD not in f"{raised.value!r} {raised.value.__cause__}"


async def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    has_left = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await has_left.wait()
        writer.transport.abort()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    try:
        async with asyncio.timeout(5):
            with pytest.raises(DatabaseError, match="does not answer"):
                await open_and_close(f"postgresql://user@127.0.0.1:{port}/jobs", connect_timeout_seconds=0.3)
    finally:
        has_left.set()
        silent.close()
        await silent.wait_closed()


async def test_a_store_that_could_not_be_opened_can_be_opened_later(postgres_url: str, postgres_schema: str) -> None:
    await open_and_close(postgres_url, postgres_schema)
    await execute(postgres_url, f"UPDATE {postgres_schema}.schema_version SET version = version + 1")
    store = PostgresStore(postgres_url, schema=postgres_schema)
    with pytest.raises(ConfigurationError):
        await store.open()
    await execute(postgres_url, f"UPDATE {postgres_schema}.schema_version SET version = version - 1")
    await store.open()
    await store.close()
