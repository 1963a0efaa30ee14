"""The ready-made table on SQLite and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlalchemy import JSON, DateTime, Integer, LargeBinary, NullPool, String, TypeDecorator, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from typing_extensions import override

from portico.adapters.job_trigger.database_polling_trigger import DatabasePollingTrigger
from portico.exceptions import ConfigurationError, DatabaseError
from portico.ports.event_inbox import EventOutcome
from portico.ports.job import Job
from portico.ports.job_trigger import TriggerState
from portico.runtime.memory_state import MemoryEventInbox
from portico.testing import RecordingJobCreator
from tests.triggers import SlowJobCreator, running, until

pytestmark = pytest.mark.asyncio


class Items:
    """A table of its own on a database."""

    def __init__(self, engine: AsyncEngine, table: str) -> None:
        self.engine = engine
        self.table = table

    async def execute(self, statement: str, **values: Any) -> Any:
        async with self.engine.begin() as connection:
            result = await connection.execute(text(statement.replace("items", self.table)), values)
            return result.all() if result.returns_rows else None

    async def add(self, *identities: int, data: str = '{"size": 3}', status: str = "pending") -> None:
        # a literal: as a bound value PostgreSQL takes no text for JSON, and SQLite has no cast to it
        insert = f"INSERT INTO items (id, status, data, version) VALUES (:id, :status, '{data}', 1)"
        for identity in identities:
            await self.execute(insert, id=identity, status=status)

    async def statuses(self) -> dict[int, str]:
        return dict((await self.execute("SELECT id, status FROM items ORDER BY id")) or ())

    def trigger(self, creator: RecordingJobCreator, **options: Any) -> DatabasePollingTrigger:
        return DatabasePollingTrigger(creator, self.engine, 0.05, **{"table": self.table, **options})


_COLUMNS = "id INTEGER PRIMARY KEY, status TEXT NOT NULL, data JSON, version INTEGER"


@pytest_asyncio.fixture
async def sqlite_items(tmp_path: Path) -> AsyncIterator[Items]:
    items = Items(create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/items.db", poolclass=NullPool), "items")
    await items.execute(f"CREATE TABLE items ({_COLUMNS})")
    yield items
    await items.engine.dispose()


@pytest_asyncio.fixture
async def postgres_items(postgres_url: str) -> AsyncIterator[Items]:
    schema = f"polling_{uuid4().hex}"
    url = postgres_url.replace("postgresql://", "postgresql+asyncpg://")
    items = Items(create_async_engine(url, poolclass=NullPool), f"{schema}.items")
    async with items.engine.begin() as connection:
        await connection.execute(text(f"CREATE SCHEMA {schema}"))
    await items.execute(f"CREATE TABLE items ({_COLUMNS})")
    yield items
    async with items.engine.begin() as connection:
        await connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    await items.engine.dispose()


@pytest.fixture(params=["sqlite_items", pytest.param("postgres_items", marks=pytest.mark.server("postgresql"))])
def items(request: pytest.FixtureRequest) -> Items:
    found: Items = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def creator() -> RecordingJobCreator:
    return RecordingJobCreator()


async def test_pending_rows_become_jobs_by_id_and_are_marked(items: Items, creator: RecordingJobCreator) -> None:
    await items.add(2, 1)
    await items.add(3, status="done")
    async with running(items.trigger(creator)):
        await until(lambda: len(creator.jobs) == 2)

    first = creator.jobs[0]
    assert first.job_type == "item.process"
    assert first.queue_name == "processing"
    assert first.payload == {"item_id": "1", "data": {"size": 3}}
    assert first.metadata == {"idempotency_key": f"database_polling:item.process:{items.table}:1"}
    assert await items.statuses() == {1: "queued", 2: "queued", 3: "done"}


async def test_it_waits_for_the_next_row(items: Items, creator: RecordingJobCreator) -> None:
    async with running(items.trigger(creator)):
        await items.add(1)
        await until(lambda: len(creator.jobs) == 1)
        await items.add(2)
        await until(lambda: len(creator.jobs) == 2)


async def test_a_full_batch_is_followed_by_the_next_look_at_once(items: Items, creator: RecordingJobCreator) -> None:
    await items.add(*range(1, 8))
    trigger = DatabasePollingTrigger(creator, items.engine, 3_600, table=items.table, batch_size=2)
    async with running(trigger):
        await until(lambda: len(creator.jobs) == 7)


async def test_a_row_whose_job_was_not_created_stays_pending_and_comes_again(
    items: Items, creator: RecordingJobCreator
) -> None:
    await items.add(1, 2)
    trigger = items.trigger(FailingCreator(creator, fails_at=2))
    async with running(trigger):
        await until(lambda: trigger.get_health().errors_count == 1)
        assert trigger.is_running
        await until(lambda: len(creator.jobs) == 2)
        await until(lambda: trigger.get_health().state is TriggerState.RUNNING)

    assert trigger.get_health().errors_count == 1
    assert [job.payload["item_id"] for job in creator.jobs] == ["1", "2"]
    assert await items.statuses() == {1: "queued", 2: "queued"}


async def test_a_row_that_was_not_marked_makes_no_second_job(items: Items, creator: RecordingJobCreator) -> None:
    await items.add(1)
    async with running(items.trigger(creator)):
        await until(lambda: len(creator.jobs) == 1)
    # as after a crash between creating and marking
    await items.execute("UPDATE items SET status = 'pending'")
    trigger = items.trigger(creator)
    async with running(trigger):
        await until(lambda: trigger.get_health().duplicates_count == 1)

    assert len(creator.jobs) == 1
    assert await items.statuses() == {1: "queued"}


async def test_a_row_with_a_new_version_is_a_new_event(items: Items, creator: RecordingJobCreator) -> None:
    await items.add(1)
    async with running(items.trigger(creator, version_column="version")):
        await until(lambda: len(creator.jobs) == 1)
        await items.execute("UPDATE items SET status = 'pending', version = 2")
        await until(lambda: len(creator.jobs) == 2)

    assert creator.jobs[1].metadata == {"idempotency_key": f"database_polling:item.process:{items.table}:1:2"}


async def test_a_status_that_the_job_has_set_meanwhile_is_kept(sqlite_items: Items) -> None:
    creator = WritingJobCreator(sqlite_items, "UPDATE items SET status = 'done'")
    await sqlite_items.add(1)
    async with running(sqlite_items.trigger(creator)):
        await until(lambda: len(creator.jobs) == 1)

    assert await sqlite_items.statuses() == {1: "done"}


async def test_several_triggers_make_one_job_of_each_row(items: Items, creator: RecordingJobCreator) -> None:
    await items.add(*range(1, 41))
    first, second = (items.trigger(creator, batch_size=5) for _ in range(2))
    async with running(first), running(second):
        await until(lambda: len(creator.jobs) == 40)

    assert len({job.payload["item_id"] for job in creator.jobs}) == 40
    assert set((await items.statuses()).values()) == {"queued"}


async def test_rows_that_another_process_has_are_skipped(postgres_items: Items) -> None:
    await postgres_items.add(1, 2)
    slow, quick = SlowJobCreator(), RecordingJobCreator()
    async with running(postgres_items.trigger(slow, batch_size=1)):
        await slow.reached.wait()
        async with running(postgres_items.trigger(quick)):
            await until(lambda: bool(quick.jobs))
            slow.may_finish.set()
            await until(lambda: bool(slow.jobs))

    assert [job.payload["item_id"] for job in slow.jobs] == ["1"]
    assert [job.payload["item_id"] for job in quick.jobs] == ["2"]


async def test_a_row_whose_data_is_not_json_is_rejected_and_blocks_nobody(
    sqlite_items: Items, creator: RecordingJobCreator
) -> None:
    await sqlite_items.add(1, data="{broken")
    await sqlite_items.add(2, data='{"price": NaN}')
    await sqlite_items.add(3)
    inbox = MemoryEventInbox()
    trigger = sqlite_items.trigger(creator, inbox=inbox)
    async with running(trigger):
        await until(lambda: bool(creator.jobs))

    assert await sqlite_items.statuses() == {1: "rejected", 2: "rejected", 3: "queued"}
    rejected = await inbox.list_events(outcome=EventOutcome.REJECTED)
    assert [(event.source_id, event.reason) for event in reversed(rejected)] == [
        ("items:1", "data is not JSON"),
        ("items:2", "payload.data.price: NaN is not JSON"),
    ]
    assert trigger.get_health().errors_count == 0


async def test_a_row_that_cannot_be_marked_blocks_nobody(items: Items, creator: RecordingJobCreator) -> None:
    await items.execute("DROP TABLE items")
    await items.execute(f"CREATE TABLE items ({_COLUMNS}, CHECK (status <> 'rejected'))")
    await items.add(1, 3)
    await items.add(2, data="[" * 200 + "]" * 200)
    trigger = items.trigger(creator)
    async with running(trigger):
        # PostgreSQL undoes the first look
        await until(lambda: trigger.get_health().errors_count == 2)
        health = trigger.get_health()

    assert await items.statuses() == {1: "queued", 2: "pending", 3: "queued"}
    assert [job.payload["item_id"] for job in creator.jobs] == ["1", "3"]
    assert health.state is TriggerState.BACKOFF
    assert health.last_error is not None
    assert "CHECK" in health.last_error.upper()


async def test_a_row_that_cannot_be_marked_locks_nothing_while_the_next_job_is_created(sqlite_items: Items) -> None:
    await sqlite_items.execute(
        "CREATE TRIGGER no BEFORE UPDATE ON items WHEN new.id = 1 BEGIN SELECT RAISE(FAIL, 'no'); END"
    )
    await sqlite_items.add(1, 2)
    trigger = sqlite_items.trigger(
        WritingJobCreator(sqlite_items, "UPDATE items SET version = version + 1 WHERE id = 9")
    )
    async with running(trigger):
        await until(lambda: trigger.get_health().state is TriggerState.BACKOFF)

    assert await sqlite_items.statuses() == {1: "pending", 2: "queued"}
    assert trigger.get_health().last_error == "RowNotMarkedError: polling the table 'items' failed: no"


async def test_a_row_without_an_id_is_rejected(sqlite_items: Items, creator: RecordingJobCreator) -> None:
    await sqlite_items.add(1, 2, 3)
    await sqlite_items.execute("UPDATE items SET version = NULL WHERE id > 1")
    inbox = MemoryEventInbox()
    trigger = sqlite_items.trigger(creator, inbox=inbox, id_column="version")
    async with running(trigger):
        await until(lambda: bool(creator.jobs))

    assert await sqlite_items.statuses() == {1: "queued", 2: "rejected", 3: "rejected"}
    rejected = await inbox.list_events(outcome=EventOutcome.REJECTED)
    assert [event.reason for event in rejected] == ["version is NULL", "version is NULL"]


class Base(DeclarativeBase):
    pass


class Zoned(TypeDecorator[datetime]):
    """A time in the zone of the session, as drivers of PostgreSQL may return it."""

    impl = DateTime
    cache_ok = True
    zone: tzinfo = UTC

    @override
    def process_result_value(self, value: datetime | None, dialect: object) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC).astimezone(Zoned.zone)


class Document(Base):
    __tablename__ = "documents"

    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    state: Mapped[int] = mapped_column(Integer)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    changed_at: Mapped[Any] = mapped_column(Zoned, nullable=True)
    scan: Mapped[bytes | None] = mapped_column(LargeBinary, nullable=True)
    title: Mapped[str | None] = mapped_column(String, nullable=True)


@pytest_asyncio.fixture
async def documents(sqlite_items: Items) -> async_sessionmaker[AsyncSession]:
    async with sqlite_items.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    return async_sessionmaker(sqlite_items.engine)


def _document_trigger(
    creator: RecordingJobCreator, documents: async_sessionmaker[AsyncSession], **options: Any
) -> DatabasePollingTrigger:
    columns = {"id_column": "number", "status_column": "state", "data_column": "content"}
    values = {"pending_value": 0, "queued_value": 1, "rejected_value": -1}
    return DatabasePollingTrigger(creator, documents, 0.05, **{"table": Document, **columns, **values, **options})


@pytest.mark.parametrize("table", [Document, Document.__table__], ids=["mapped class", "table"])
async def test_columns_and_values_may_have_other_names(
    documents: async_sessionmaker[AsyncSession], creator: RecordingJobCreator, table: Any
) -> None:
    async with documents.begin() as session:
        session.add(Document(number=7, state=0, content={"pages": 2}))
    trigger = _document_trigger(
        creator, documents, table=table, job_type="document.read", queue_name="documents", priority=5
    )
    async with running(trigger):
        await until(lambda: bool(creator.jobs))

    (job,) = creator.jobs
    assert (job.job_type, job.queue_name, job.priority) == ("document.read", "documents", 5)
    assert job.payload == {"item_id": "7", "data": {"pages": 2}}
    async with documents() as session:
        assert (await session.get_one(Document, 7)).state == 1


async def test_a_version_is_the_same_moment_in_every_time_zone(
    documents: async_sessionmaker[AsyncSession], creator: RecordingJobCreator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with documents.begin() as session:
        session.add(Document(number=7, state=0, content={}, changed_at=datetime(2030, 1, 1, 12)))  # noqa: DTZ001 - the column's own UTC
    trigger = _document_trigger(creator, documents, version_column="changed_at")
    async with running(trigger):
        await until(lambda: bool(creator.jobs))
    async with documents.begin() as session:
        (await session.get_one(Document, 7)).state = 0
    monkeypatch.setattr(Zoned, "zone", timezone(timedelta(hours=2)))
    async with running(trigger):
        await until(lambda: trigger.get_health().duplicates_count == 1)

    assert len(creator.jobs) == 1


async def test_bytes_are_no_payload(documents: async_sessionmaker[AsyncSession], creator: RecordingJobCreator) -> None:
    async with documents.begin() as session:
        session.add(Document(number=7, state=0, content={}, scan=b"\x00"))
    trigger = _document_trigger(creator, documents, data_column="scan")
    async with running(trigger):
        await until(lambda: trigger.get_health().rejected_count == 1)

    async with documents() as session:
        assert (await session.get_one(Document, 7)).state == -1


async def test_a_failing_poll_is_counted_once_and_recovers(items: Items, creator: RecordingJobCreator) -> None:
    trigger = items.trigger(creator)
    async with running(trigger):
        await items.execute("ALTER TABLE items RENAME COLUMN status TO hidden")
        await until(lambda: trigger.get_health().state is TriggerState.BACKOFF)
        health = trigger.get_health()
        assert health.is_running
        assert health.errors_count == 1
        assert health.last_error is not None
        assert health.last_error.startswith(f"DatabaseError: polling the table '{items.table}' failed")
        await items.execute("ALTER TABLE items RENAME COLUMN hidden TO status")
        await items.add(1)
        await until(lambda: bool(creator.jobs))


async def test_a_missing_table_is_named_at_start(items: Items, creator: RecordingJobCreator) -> None:
    missing = items.table.replace("items", "nothing")

    with pytest.raises(ConfigurationError, match=f"no table '{missing}'"):
        await items.trigger(creator, table=missing).start()


async def test_a_missing_column_is_named_at_start(items: Items, creator: RecordingJobCreator) -> None:
    with pytest.raises(ConfigurationError, match="has no column 'stat'; it has data, id, status, version"):
        await items.trigger(creator, status_column="stat").start()


async def test_a_column_that_the_database_lacks_is_named_although_the_model_has_it(
    sqlite_items: Items, creator: RecordingJobCreator
) -> None:
    await sqlite_items.execute("CREATE TABLE documents (number INTEGER, content JSON)")
    trigger = sqlite_items.trigger(
        creator, table=Document, id_column="number", status_column="state", data_column="content"
    )

    with pytest.raises(ConfigurationError, match="has no column 'state'; it has content, number"):
        await trigger.start()


async def test_a_database_that_does_not_answer_is_an_error_at_start(creator: RecordingJobCreator) -> None:
    engine = create_async_engine("postgresql+asyncpg://someone:s3cret@127.0.0.1:1/test", poolclass=NullPool)

    with pytest.raises(DatabaseError, match="polling the table 'items' failed") as caught:
        await DatabasePollingTrigger(creator, engine, table="items").start()

    assert "s3cret" not in str(caught.value)


async def test_a_name_is_quoted_not_executed(sqlite_items: Items, creator: RecordingJobCreator) -> None:
    odd = 'it"s; DROP TABLE items; --'
    await sqlite_items.execute('CREATE TABLE "it""s; DROP TABLE items; --" (id INTEGER, "a b" TEXT, data TEXT)')
    await sqlite_items.execute("""INSERT INTO "it""s; DROP TABLE items; --" VALUES (1, 'pending', 'x')""")
    async with running(sqlite_items.trigger(creator, table=odd, status_column="a b")):
        await until(lambda: bool(creator.jobs))

    assert creator.jobs[0].payload == {"item_id": "1", "data": "x"}


async def test_stopping_in_the_middle_of_a_batch_keeps_the_marks_of_made_jobs(items: Items) -> None:
    creator = SlowJobCreator()
    await items.add(1, 2)
    trigger = items.trigger(creator)
    await trigger.start()
    await creator.reached.wait()
    stop = asyncio.create_task(trigger.stop())
    await asyncio.sleep(0.05)
    creator.may_finish.set()
    await stop

    assert len(creator.jobs) == 1
    assert await items.statuses() == {1: "queued", 2: "pending"}


async def test_an_overridden_mark_may_use_a_session_of_its_own(items: Items, creator: RecordingJobCreator) -> None:
    await items.add(1)
    trigger = DeletingTrigger(creator, items.engine, 0.05, table=items.table)
    trigger.items = items
    async with running(trigger):
        await until(lambda: trigger.deleted == [1])

    assert await items.statuses() == {}


async def test_the_hooks_may_be_called_from_outside(items: Items, creator: RecordingJobCreator) -> None:
    await items.add(1)
    trigger = items.trigger(creator)
    await trigger.start()
    await trigger.stop()
    await items.execute("UPDATE items SET status = 'pending'")

    (row,) = await trigger._get_pending_items()
    await trigger._mark_as_queued(row.id)

    assert await items.statuses() == {1: "queued"}


async def test_a_replaced_hook_is_called(
    items: Items, creator: RecordingJobCreator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await items.add(1)
    trigger = items.trigger(creator)
    mark = AsyncMock()
    monkeypatch.setattr(trigger, "_mark_as_queued", mark)
    async with running(trigger):
        await until(lambda: mark.await_count >= 1)

    mark.assert_awaited_with(1)


class DeletingTrigger(DatabasePollingTrigger):
    items: Items

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.deleted: list[int] = []

    @override
    async def _mark_as_queued(self, item_id: int) -> None:
        await self.items.execute("DELETE FROM items WHERE id = :id", id=item_id)
        self.deleted.append(item_id)


class FailingCreator(RecordingJobCreator):
    def __init__(self, creator: RecordingJobCreator, *, fails_at: int) -> None:
        super().__init__()
        self.jobs = creator.jobs
        self._calls = 0
        self._fails_at = fails_at

    @override
    async def create_job(self, *args: Any, **kwargs: Any) -> Job:
        self._calls += 1
        if self._calls == self._fails_at:
            raise RuntimeError("the store is down")
        return await super().create_job(*args, **kwargs)


class WritingJobCreator(RecordingJobCreator):
    """Writes into the database that is polled as soon as a job exists: its own store, or an eager worker's outcome."""

    def __init__(self, items: Items, statement: str) -> None:
        super().__init__()
        self._items = items
        self._statement = statement

    @override
    async def create_job(self, *args: Any, **kwargs: Any) -> Job:
        job = await super().create_job(*args, **kwargs)
        await self._items.execute(self._statement)
        return job
