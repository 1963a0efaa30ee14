"""Old events are forgotten while the service runs."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from portico.ports.event_inbox import EventOutcome, InboxEvent
from portico.runtime.inbox_pruning import InboxPruning
from portico.runtime.memory_state import MemoryEventInbox
from portico.testing import FakeClock

pytestmark = pytest.mark.asyncio
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def event(received_at: datetime) -> InboxEvent:
    return InboxEvent(id=uuid.uuid4(), trigger="webhook", received_at=received_at, outcome=EventOutcome.ACCEPTED)


async def left_after_two_minutes(kept: timedelta | None) -> int:
    clock, inbox = FakeClock(NOW), MemoryEventInbox()
    for age in (timedelta(days=31), timedelta(days=29)):
        await inbox.record(event(NOW - age))
    pruning = InboxPruning(inbox, kept, clock=clock)
    await pruning.start()
    await clock.advance(120)
    await pruning.stop()
    return len(await inbox.list_events())


async def test_events_that_were_kept_long_enough_are_forgotten() -> None:
    assert await left_after_two_minutes(timedelta(days=30)) == 1


async def test_without_a_limit_all_are_kept() -> None:
    assert await left_after_two_minutes(None) == 2
