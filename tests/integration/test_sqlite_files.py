"""What the SQLite queue makes of files that it did not make just now."""

import asyncio
import os
import shutil
import sqlite3
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.store.sqlite.event_inbox import SqliteEventInbox
from portico.adapters.store.sqlite.trigger_store import SqliteTriggerStore
from portico.exceptions import ConfigurationError, DatabaseError, PorticoError
from portico.ports.event_inbox import EventOutcome
from portico.ports.job import Job, JobStatus, QueueStats
from portico.testing import FakeClock

FIXTURES = Path(__file__).parent.parent / "fixtures"
FIXTURE = FIXTURES / "sqlite-schema-1.db"
pytestmark = pytest.mark.asyncio


def queue_on(path: Path) -> DatabaseJobQueueAdapter:
    return DatabaseJobQueueAdapter(f"sqlite:///{path}")


def job() -> Job:
    return Job(id=uuid.uuid4(), queue_name="default", job_type="file.work", payload={})


async def refusal(path: Path) -> PorticoError:
    with pytest.raises(PorticoError) as raised:
        await queue_on(path).initialize()
    assert str(path) in raised.value.message
    return raised.value


@pytest_asyncio.fixture(params=[1, 3])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DatabaseJobQueueAdapter]:
    shutil.copy(FIXTURES / f"sqlite-schema-{request.param}.db", tmp_path / "kept.db")
    clock = FakeClock(datetime(2026, 1, 1, 1, tzinfo=UTC))
    queue = DatabaseJobQueueAdapter(f"sqlite:///{tmp_path}/kept.db", clock=clock)
    await queue.initialize()
    yield queue
    await queue.close()


async def test_the_jobs_of_an_older_file_are_all_there(kept: DatabaseJobQueueAdapter) -> None:
    assert await kept.get_queue_stats("fixture") == QueueStats("fixture", 3, 0, 1, 1, 1)
    completed = await kept.get_job(uuid.UUID(int=1))
    scheduled = await kept.get_job(uuid.UUID(int=5))
    assert completed is not None
    assert scheduled is not None
    assert (completed.status, completed.result) == (JobStatus.COMPLETED, {"rows": 3})
    assert (scheduled.scheduled_at, scheduled.created_by) == (datetime(2026, 1, 2, tzinfo=UTC), uuid.UUID(int=77))


async def test_the_jobs_of_an_older_file_are_worked(kept: DatabaseJobQueueAdapter) -> None:
    claimed = await kept.dequeue_many("fixture", 10, timeout=0)
    assert [each.id.int for each in claimed] == [6, 4]
    assert await kept.acknowledge_many([each.id for each in claimed]) == [True, True]


async def test_the_keys_of_an_older_file_are_held(kept: DatabaseJobQueueAdapter) -> None:
    for key, number in (("event-4", 4), ("event-7", 7)):
        again = await kept.enqueue(
            Job(id=uuid.uuid4(), queue_name="fixture", job_type="t", payload={}, metadata={"idempotency_key": key})
        )
        assert (again.is_duplicate, again.id.int) == (True, number)


async def test_triggers_and_events_of_an_older_file_are_remembered(kept: DatabaseJobQueueAdapter) -> None:
    triggers, inbox = SqliteTriggerStore(kept.store), SqliteEventInbox(kept.store)
    cursor = await triggers.get("files", "cursor")
    event = await inbox.get(uuid.UUID(int=100))
    await triggers.close()
    await inbox.close()
    assert cursor is not None
    assert cursor.value == {"seen": [1, 2]}
    assert event is not None
    assert (event.outcome, event.body, event.source_id) == (EventOutcome.REJECTED, b"{}", "delivery-1")


async def test_a_newer_schema_is_refused_and_the_way_out_named(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    shutil.copy(FIXTURE, path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 4711")
    connection.close()
    error = await refusal(path)
    assert isinstance(error, ConfigurationError)
    assert "newer Portico" in error.message
    assert "4711" in error.message


async def test_another_applications_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 3")
    connection.close()
    error = await refusal(path)
    assert isinstance(error, ConfigurationError)
    assert "another application" in error.message
    connection = sqlite3.connect(path)
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    connection.close()
    assert tables == (0,)


async def test_a_file_may_hold_the_users_own_tables_too(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE job (id INTEGER PRIMARY KEY)")
    queue = queue_on(path)
    stored = await queue.enqueue(job())
    connection.execute("INSERT INTO job VALUES (1)")
    assert await queue.get_job(stored.id) == stored
    await queue.close()
    assert connection.execute("SELECT count(*) FROM job").fetchone() == (1,)
    connection.close()


async def test_a_file_that_is_no_database_is_named_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("These are notes, and they stay as they are.\n" * 100)
    error = await refusal(path)
    assert isinstance(error, DatabaseError)
    assert "not an SQLite database" in error.message
    assert path.read_text().startswith("These are notes")


async def test_a_damaged_file_is_named_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "damaged.db"
    content = bytearray(FIXTURE.read_bytes())
    content[4096:] = os.urandom(1024) * ((len(content) - 4096) // 1024)
    path.write_bytes(content)
    queue = queue_on(path)
    with pytest.raises(DatabaseError, match=r"damaged\.db: the file is damaged"):
        await work_through(queue)
    await queue.close()


async def work_through(queue: DatabaseJobQueueAdapter) -> None:
    for _ in range(100):
        await queue.enqueue(job())
        await queue.dequeue("default", timeout=0)


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    error = await refusal(tmp_path / "missing" / "jobs.db")
    assert isinstance(error, ConfigurationError)
    assert "create it" in error.message


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    error = await refusal(tmp_path)
    assert isinstance(error, ConfigurationError)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_without_rights_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        error = await refusal(tmp_path / "jobs.db")
    finally:
        tmp_path.chmod(0o700)
    assert isinstance(error, ConfigurationError)


async def test_after_a_refusal_the_same_queue_can_be_opened(tmp_path: Path) -> None:
    queue = queue_on(tmp_path / "later" / "jobs.db")
    with pytest.raises(ConfigurationError):
        await queue.initialize()
    (tmp_path / "later").mkdir()
    stored = await queue.enqueue(job())
    assert await queue.get_job(stored.id) == stored
    await queue.close()


async def test_a_locked_file_fails_the_call_and_not_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portico.adapters.store.sqlite.schema.FOREIGN_WRITERS_SECONDS", 0.05)
    queue = queue_on(tmp_path / "jobs.db")
    await queue.initialize()
    foreign = sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseError, match="locked"):
        await queue.enqueue(job())
    foreign.execute("ROLLBACK")
    foreign.close()
    stored = await queue.enqueue(job())
    assert await queue.get_job(stored.id) == stored
    await queue.close()


async def test_queue_trigger_store_and_inbox_share_one_file_and_its_connections(tmp_path: Path) -> None:
    queue = queue_on(tmp_path / "jobs.db")
    triggers = SqliteTriggerStore(queue.store)
    await triggers.initialize()
    stored = await queue.enqueue(job())
    assert len(list(tmp_path.glob("jobs.db.d/*.session"))) == 1
    await triggers.close()
    assert await queue.get_job(stored.id) == stored
    await queue.close()
    assert list(tmp_path.glob("jobs.db.d/*.session")) == []


async def test_one_bad_write_spares_those_that_share_its_transaction(tmp_path: Path) -> None:
    queue = queue_on(tmp_path / "jobs.db")
    await queue.initialize()

    def fails(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO portico_paused_queue VALUES ('half done')")
        message = "a bad write"
        raise RuntimeError(message)

    writes = [queue.enqueue(job()), queue.store.write(fails), queue.enqueue(job())]
    first, failure, second = await asyncio.gather(*writes, return_exceptions=True)
    assert isinstance(failure, RuntimeError)
    for answer in (first, second):
        assert isinstance(answer, Job)
        assert await queue.get_job(answer.id) == answer
    paused = await queue.store.read(
        lambda connection: connection.execute("SELECT * FROM portico_paused_queue").fetchall()
    )
    await queue.close()
    assert paused == []


async def test_what_was_committed_is_synced_at_the_latest_on_close(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr("portico.adapters.store.sqlite.wal_sync._flush", synced.append)
    queue = queue_on(tmp_path / "jobs.db")
    await queue.enqueue(job())
    await queue.close()
    assert synced


async def test_a_failing_sync_is_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("portico.adapters.store.sqlite.wal_sync._flush", fail)
    queue = queue_on(tmp_path / "jobs.db")
    stored = await queue.enqueue(job())
    await asyncio.sleep(0.15)
    assert await queue.get_job(stored.id) == stored
    await queue.close()


async def test_a_file_on_a_network_file_system_is_refused_unless_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"40 27 0:45 / {tmp_path} rw - nfs4 server:/export rw\n")
    monkeypatch.setattr("portico.adapters.store.sqlite.mounts._MOUNTS", mounts)
    error = await refusal(tmp_path / "jobs.db")
    assert isinstance(error, ConfigurationError)
    assert "server:/export" in error.message
    assert not (tmp_path / "jobs.db").exists()
    queue = DatabaseJobQueueAdapter(f"sqlite:///{tmp_path}/jobs.db", allow_network_file_system=True)
    await queue.enqueue(job())
    await queue.close()
