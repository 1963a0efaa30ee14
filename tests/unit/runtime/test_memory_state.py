"""What is particular to the inbox in memory: it is bounded."""

import uuid
from datetime import UTC, datetime

import pytest

from portico.exceptions import ConfigurationError
from portico.ports.event_inbox import EventOutcome, InboxEvent
from portico.runtime.memory_state import MemoryEventInbox


def event(number: int) -> InboxEvent:
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    return InboxEvent(id=uuid.UUID(int=number), trigger="t", received_at=moment, outcome=EventOutcome.ACCEPTED)


@pytest.mark.asyncio
async def test_the_oldest_events_give_way() -> None:
    inbox = MemoryEventInbox(max_events=3)
    for number in range(5):
        await inbox.record(event(number))
    assert [kept.id.int for kept in await inbox.list_events()] == [4, 3, 2]


def test_an_inbox_for_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="max_events"):
        MemoryEventInbox(max_events=0)
