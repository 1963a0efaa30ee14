import importlib.util
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from unittest.mock import AsyncMock

import pytest
from sqlalchemy.exc import IntegrityError
from typing_extensions import override

from portico.adapters.job_trigger.database_polling_trigger import DatabasePollingTrigger
from portico.exceptions import ConfigurationError, DatabaseError, MissingExtraError
from portico.ports.event_inbox import EventOutcome
from portico.ports.job_creator import JobCreator
from portico.runtime.memory_state import MemoryEventInbox
from portico.testing import FakeClock, RecordingJobCreator


@dataclass
class Item:
    id: int
    data: Any


class InMemoryTrigger(DatabasePollingTrigger):
    """The database is a list of items."""

    looks = 0

    @override
    async def _get_pending_items(self) -> list[Item]:
        self.looks += 1
        return list(self.database)

    @override
    async def _mark_as_queued(self, item_id: int) -> None:
        self.database[:] = [item for item in self.database if item.id != item_id]


class Database:
    """Has the one method that is asked for."""

    @asynccontextmanager
    async def session(self) -> Any:
        yield


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2030, 1, 1, tzinfo=UTC))


@pytest.mark.asyncio
async def test_an_item_of_the_hooks_is_asked_for_with_exactly_four_keywords(clock: FakeClock) -> None:
    creator = AsyncMock(spec=JobCreator)
    items = [Item(7, {"size": 3})]
    trigger = InMemoryTrigger(creator, items, 30, clock=clock)
    await trigger.start()
    await clock.settle()
    await trigger.stop()

    creator.create_job.assert_awaited_once_with(
        job_type="item.process",
        payload={"item_id": "7", "data": {"size": 3}},
        queue_name="processing",
        priority=0,
    )
    assert items == []


@pytest.mark.asyncio
async def test_it_looks_at_once_and_then_every_interval(clock: FakeClock) -> None:
    trigger = InMemoryTrigger(RecordingJobCreator(), [], 30, clock=clock)
    await trigger.start()
    await clock.settle()
    assert trigger.looks == 1
    await clock.advance(29)
    assert trigger.looks == 1
    await clock.advance(1)
    assert trigger.looks == 2
    await trigger.stop()


@pytest.mark.asyncio
async def test_an_item_is_marked_only_after_its_job_exists(clock: FakeClock) -> None:
    creator = RecordingJobCreator()
    creator.fail_next(DatabaseError("the store is down"))
    items = [Item(1, None), Item(2, None)]
    trigger = InMemoryTrigger(creator, items, 3_600, clock=clock)
    await trigger.start()
    await clock.settle()
    assert [item.id for item in items] == [1, 2]
    assert trigger.get_health().errors_count == 1
    await clock.advance(1)
    await trigger.stop()

    assert [job.payload["item_id"] for job in creator.jobs] == ["1", "2"]
    assert items == []


@pytest.mark.asyncio
async def test_an_item_that_is_no_payload_is_kept_in_the_inbox_and_found_no_more(clock: FakeClock) -> None:
    creator = RecordingJobCreator()
    inbox = MemoryEventInbox()
    items = [Item(1, datetime(2030, 1, 1, tzinfo=UTC)), Item(2, float("nan")), Item(3, "fine")]
    trigger = InMemoryTrigger(creator, items, clock=clock, inbox=inbox)
    await trigger.start()
    await clock.settle()
    await trigger.stop()

    assert [job.payload["item_id"] for job in creator.jobs] == ["3"]
    assert items == []
    rejected = await inbox.list_events(outcome=EventOutcome.REJECTED)
    assert {event.source_id for event in rejected} == {"1", "2"}


@pytest.mark.asyncio
async def test_without_table_and_hooks_it_does_not_start_and_says_both_ways() -> None:
    trigger = DatabasePollingTrigger(RecordingJobCreator(), Database())

    with pytest.raises(ConfigurationError, match=r"pass table='...', or subclass it and override both"):
        await trigger.start()

    assert not trigger.is_running


@pytest.mark.asyncio
async def test_one_hook_alone_is_not_enough() -> None:
    class HalfTrigger(DatabasePollingTrigger):
        @override
        async def _get_pending_items(self) -> list[Item]:
            return []

    with pytest.raises(ConfigurationError, match="override both"):
        await HalfTrigger(RecordingJobCreator(), Database()).start()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"poll_interval_seconds": 0}, "poll_interval_seconds must be more than 0, not 0"),
        ({"poll_interval_seconds": -1}, "poll_interval_seconds must be more than 0, not -1"),
        ({"poll_interval_seconds": float("nan")}, "poll_interval_seconds must be more than 0, not nan"),
        ({"poll_interval_seconds": float("inf")}, "poll_interval_seconds must be more than 0, not inf"),
        ({"job_type": " "}, "job_type must be a text that is not blank"),
        ({"queue_name": "q" * 256}, "queue_name is longer than 255 characters"),
        ({"priority": "high"}, "priority must be an integer of at most 2147483647, not 'high'"),
        ({"table": ""}, "table must be 'name' or 'schema.name', not ''"),
        ({"table": "schema."}, "table must be 'name' or 'schema.name', not 'schema.'"),
        ({"table": "items", "batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"table": "items", "queued_value": "pending"}, "queued_value must differ from pending_value"),
        ({"table": "items", "rejected_value": "pending"}, "rejected_value must differ from pending_value"),
        ({"table": "items", "database": "sqlite:///x"}, r"database must have session\(\).* not str"),
    ],
)
def test_a_wrong_setting_is_refused_at_once(options: dict[str, Any], says: str) -> None:
    settings = {"database": Database(), **options}

    with pytest.raises(ConfigurationError, match=says):
        DatabasePollingTrigger(RecordingJobCreator(), **settings)


class FailingDatabase:
    """Answers as psycopg does when a constraint is violated: the row stands behind the first line."""

    def session(self) -> AbstractAsyncContextManager[AsyncMock]:
        words = Exception("new row violates a constraint\nDETAIL:  Failing row contains (7, s3cret).")
        error = IntegrityError("UPDATE items SET data = :data", {"data": "s3cret"}, words)
        return nullcontext(AsyncMock(run_sync=AsyncMock(side_effect=error)))


@pytest.mark.asyncio
async def test_a_databases_error_shows_its_reason_and_no_row() -> None:
    with pytest.raises(DatabaseError) as caught:
        await DatabasePollingTrigger(RecordingJobCreator(), FailingDatabase(), table="items").start()

    assert str(caught.value) == "polling the table 'items' failed: new row violates a constraint"


def test_its_summary_names_the_table_or_the_class() -> None:
    creator, database = RecordingJobCreator(), Database()

    assert DatabasePollingTrigger(creator, database, 30).summary == "DatabasePollingTrigger every 30 s  -> item.process"
    assert DatabasePollingTrigger(creator, database, 0.5, table="shop.items", job_type="x").summary == (
        "shop.items every 0.5 s  -> x"
    )


def test_only_a_table_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "portico.adapters.job_trigger.database_polling_trigger.find_spec",
        lambda name: None if name == "sqlalchemy" else importlib.util.find_spec(name),
    )

    InMemoryTrigger(RecordingJobCreator(), [])
    with pytest.raises(MissingExtraError, match=r"portico-jobs\[sqlalchemy\]"):
        DatabasePollingTrigger(RecordingJobCreator(), Database(), table="items")
