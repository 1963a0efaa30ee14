"""What every event inbox promises; subclass it, and your inbox is tested."""

import inspect
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from portico.ports.event_inbox import EventInbox, EventOutcome, InboxEvent

_START = datetime(2030, 1, 1, 12, tzinfo=UTC)


class EventInboxContract(ABC):
    """Subclass as ``class TestMyInbox(EventInboxContract)`` and give `make_inbox`, which may be a coroutine."""

    @abstractmethod
    def make_inbox(self) -> Any:
        """Return a new, empty inbox for at least 100 events, not initialised."""

    @pytest_asyncio.fixture
    async def inbox(self) -> AsyncIterator[EventInbox]:
        """Yield an initialised inbox; it is closed afterwards."""
        made = self.make_inbox()
        inbox: EventInbox = await made if inspect.isawaitable(made) else made
        await inbox.initialize()
        yield inbox
        await inbox.close()

    @pytest.mark.asyncio
    async def test_an_event_comes_back_whole(self, inbox: EventInbox) -> None:
        event = replace(
            _event(7, outcome=EventOutcome.REJECTED),
            reason="payload.amount: must be a number",
            source_id="delivery-7",
            job_ids=(uuid.uuid4(), uuid.uuid4()),
            headers={"content-type": "application/json"},
            body=b'\x00\xff{"amount": "many"}',
        )
        await inbox.record(event)
        found = await inbox.get(event.id)
        assert found == event
        assert found is not None
        assert found.body == event.body

    @pytest.mark.asyncio
    async def test_what_is_empty_is_not_what_is_absent(self, inbox: EventInbox) -> None:
        empty = replace(_event(1), reason="", source_id="", body=b"")
        absent = replace(_event(2), reason=None, source_id=None, body=None)
        await inbox.record_many([empty, absent])
        found = [await inbox.get(event.id) for event in (empty, absent)]
        assert found == [empty, absent]
        assert [event and event.body for event in found] == [b"", None]

    @pytest.mark.asyncio
    async def test_an_unknown_event_is_none(self, inbox: EventInbox) -> None:
        assert await inbox.get(uuid.uuid4()) is None

    @pytest.mark.asyncio
    async def test_recording_an_event_again_replaces_it(self, inbox: EventInbox) -> None:
        event = _event(1, outcome=EventOutcome.REJECTED)
        await inbox.record(event)
        await inbox.record(replace(event, outcome=EventOutcome.ACCEPTED))
        assert [found.outcome for found in await inbox.list_events()] == [EventOutcome.ACCEPTED]

    @pytest.mark.asyncio
    async def test_events_are_listed_newest_first_in_pages(self, inbox: EventInbox) -> None:
        events = [_event(minute) for minute in range(7)]
        for event in events:
            await inbox.record(event)
        listed: list[InboxEvent] = []
        while page := await inbox.list_events(limit=3, before=listed[-1].id if listed else None):
            listed += page
        assert listed == events[::-1]

    @pytest.mark.asyncio
    async def test_a_list_may_be_narrowed(self, inbox: EventInbox) -> None:
        mail = _event(1, trigger="mail")
        refused = _event(2, trigger="mail", outcome=EventOutcome.REJECTED)
        hook = _event(3, trigger="webhook", outcome=EventOutcome.REJECTED)
        for event in (mail, refused, hook):
            await inbox.record(event)
        assert await inbox.list_events(trigger="mail") == [refused, mail]
        assert await inbox.list_events(outcome=EventOutcome.REJECTED) == [hook, refused]
        assert await inbox.list_events(trigger="mail", outcome=EventOutcome.REJECTED) == [refused]
        assert await inbox.list_events(trigger="nobody") == []

    @pytest.mark.asyncio
    async def test_older_events_can_be_forgotten(self, inbox: EventInbox) -> None:
        events = [_event(minute) for minute in range(4)]
        for event in events:
            await inbox.record(event)
        assert await inbox.prune(received_before=events[2].received_at) == 2
        assert await inbox.list_events() == [events[3], events[2]]
        assert await inbox.prune(received_before=events[2].received_at) == 0

    @pytest.mark.asyncio
    async def test_a_closed_inbox_can_be_opened_again(self, inbox: EventInbox) -> None:
        await inbox.close()
        await inbox.close()
        await inbox.initialize()
        await inbox.initialize()
        event = _event(1)
        await inbox.record(event)
        assert await inbox.get(event.id) == event


def _event(minute: int, *, trigger: str = "webhook", outcome: EventOutcome = EventOutcome.ACCEPTED) -> InboxEvent:
    received_at = _START + timedelta(minutes=minute)
    return InboxEvent(id=uuid.uuid4(), trigger=trigger, received_at=received_at, outcome=outcome)
