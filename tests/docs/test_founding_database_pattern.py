"""The founding document, pattern 6: a database is polled, as a listing on the port and as the package's own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import JSON, DateTime, NullPool, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from structlog.testing import capture_logs
from typing_extensions import override

from portico.adapters.job_trigger.database_polling_trigger import DatabasePollingTrigger
from portico.exceptions import DatabaseError
from portico.ports.job_creator import JobCreator
from portico.ports.job_trigger import JobTrigger
from portico.testing import RecordingJobCreator
from portico.utils.logging import get_logger
from tests.docs.running import running, until

logger = get_logger(__name__)


class Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON, datetime: DateTime(timezone=True)}  # noqa: RUF012 - SQLAlchemy's way


class ItemModel(Base):
    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[dict[str, Any]]
    status: Mapped[str]
    created_at: Mapped[datetime]


class Database:
    """The reader's own: it gives sessions."""

    def __init__(self, path: Path) -> None:
        self.engine = create_async_engine(f"sqlite+aiosqlite:///{path}", poolclass=NullPool)
        self.session: async_sessionmaker[AsyncSession] = async_sessionmaker(self.engine)

    async def add(self, data: dict[str, Any], *, age: timedelta = timedelta(), status: str = "pending") -> None:
        async with self.session() as session:
            session.add(ItemModel(data=data, status=status, created_at=datetime.now(UTC) - age))
            await session.commit()

    async def statuses(self) -> Sequence[str]:
        async with self.session() as session:
            return (await session.execute(select(ItemModel.status).order_by(ItemModel.id))).scalars().all()


class PendingItems:
    """The two hooks of pattern 6."""

    database: Any

    async def _get_pending_items(self) -> Sequence[ItemModel]:
        """Get items that need processing."""
        async with self.database.session() as session:
            stmt = select(ItemModel).where(
                ItemModel.status == "pending", ItemModel.created_at > datetime.now(UTC) - timedelta(hours=1)
            )
            result = await session.execute(stmt)
            items: Sequence[ItemModel] = result.scalars().all()
            return items

    async def _mark_as_queued(self, item_id: int) -> None:
        """Mark item as queued for processing."""
        async with self.database.session() as session:
            stmt = update(ItemModel).where(ItemModel.id == item_id).values(status="queued")
            await session.execute(stmt)
            await session.commit()


class ListedPollingTrigger(PendingItems, JobTrigger):
    """Trigger that polls database for new records and creates jobs."""

    def __init__(self, job_creator: JobCreator, database: Any, poll_interval_seconds: float = 60) -> None:
        self.job_creator = job_creator
        self.database = database
        self.poll_interval = poll_interval_seconds
        self._task: asyncio.Task[None] | None = None
        self._running = False

    @override
    async def start(self) -> None:
        if self._running:
            return
        self._running = True
        self._task = asyncio.create_task(self._poll_loop())

    @override
    async def stop(self) -> None:
        if not self._running:
            return
        self._running = False
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    @property
    @override
    def is_running(self) -> bool:
        return self._running

    async def _poll_loop(self) -> None:
        """Poll database for new pending items."""
        while self._running:
            try:
                for item in await self._get_pending_items():
                    await self._queue(item)
            except Exception as e:  # noqa: BLE001 - the loop goes on, whatever it was
                logger.error("polling_error", error=str(e))  # noqa: TRY400 - expected: no traceback
            await asyncio.sleep(self.poll_interval)

    async def _queue(self, item: ItemModel) -> None:
        # Create job for each pending item
        await self.job_creator.create_job(
            job_type="item.process", payload={"item_id": str(item.id), "data": item.data}, queue_name="processing"
        )
        # Mark as queued
        await self._mark_as_queued(item.id)


class OwnPollingTrigger(PendingItems, DatabasePollingTrigger):
    """The package's trigger with the reader's hooks."""


MakePollingTrigger = Callable[..., JobTrigger]
pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.parametrize("trigger_class", [ListedPollingTrigger, OwnPollingTrigger], ids=["listing", "package"]),
]


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "items.db")
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield database
    await database.engine.dispose()


@pytest.fixture
def job_creator() -> RecordingJobCreator:
    return RecordingJobCreator()


@pytest.fixture
def db_trigger(trigger_class: MakePollingTrigger, job_creator: RecordingJobCreator, database: Database) -> JobTrigger:
    return trigger_class(job_creator=job_creator, database=database, poll_interval_seconds=0.02)


async def _until_statuses(database: Database, *expected: str) -> None:
    async def as_expected() -> bool:
        return tuple(await database.statuses()) == expected

    await until(as_expected)


async def test_a_pending_item_becomes_a_job_and_is_marked_as_queued(
    db_trigger: JobTrigger, database: Database, job_creator: RecordingJobCreator
) -> None:
    await database.add({"title": "first"})

    async with running(db_trigger):
        await _until_statuses(database, "queued")

    (job,) = job_creator.jobs
    assert (job.job_type, job.queue_name, job.priority) == ("item.process", "processing", 0)
    assert job.payload == {"item_id": "1", "data": {"title": "first"}}
    assert job.metadata == {}


async def test_items_that_arrive_later_are_found_by_a_later_poll(
    db_trigger: JobTrigger, database: Database, job_creator: RecordingJobCreator
) -> None:
    async with running(db_trigger):
        await database.add({"title": "first"})
        await _until_statuses(database, "queued")
        await database.add({"title": "second"})
        await _until_statuses(database, "queued", "queued")

    assert [job.payload["item_id"] for job in job_creator.jobs] == ["1", "2"]


async def test_what_the_query_leaves_out_is_left_alone(
    db_trigger: JobTrigger, database: Database, job_creator: RecordingJobCreator
) -> None:
    await database.add({"title": "old"}, age=timedelta(hours=2))
    await database.add({"title": "done"}, status="done")
    await database.add({"title": "new"})

    async with running(db_trigger):
        await _until_statuses(database, "pending", "done", "queued")

    assert [job.payload["data"] for job in job_creator.jobs] == [{"title": "new"}]


async def test_an_item_whose_job_could_not_be_created_stays_pending_until_a_later_poll(
    db_trigger: JobTrigger, database: Database, job_creator: RecordingJobCreator
) -> None:
    job_creator.fail_next(DatabaseError("the store is down"))
    await database.add({"title": "first"})

    with capture_logs() as logs:
        async with running(db_trigger):
            await _until_statuses(database, "queued")

    assert "polling_error" in [log["event"] for log in logs]
    assert [job.payload["item_id"] for job in job_creator.jobs] == ["1"]


async def test_nothing_is_polled_after_the_stop(
    db_trigger: JobTrigger, database: Database, job_creator: RecordingJobCreator
) -> None:
    async with running(db_trigger):
        await db_trigger.start()
    await database.add({"title": "late"})
    await asyncio.sleep(0.1)

    assert not db_trigger.is_running
    assert job_creator.jobs == []
    assert await database.statuses() == ["pending"]
