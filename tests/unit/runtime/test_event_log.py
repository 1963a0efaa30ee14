"""Events that are recorded behind the back of whoever waits."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from portico.exceptions import DatabaseError
from portico.ports.event_inbox import EventOutcome, InboxEvent
from portico.runtime.event_log import EventLog
from portico.runtime.memory_state import MemoryEventInbox

pytestmark = pytest.mark.asyncio


class SlowInbox(MemoryEventInbox):
    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.reached = asyncio.Event()
        self.released = asyncio.Event()

    @override
    async def record_many(self, events: Sequence[InboxEvent]) -> None:
        self.batches.append(len(events))
        self.reached.set()
        await self.released.wait()
        await super().record_many(events)


class BrokenInbox(MemoryEventInbox):
    @override
    async def record(self, event: InboxEvent) -> None:
        raise DatabaseError("the disk is full")


def _event(number: int) -> InboxEvent:
    return InboxEvent(
        id=UUID(int=number),
        trigger="webhook",
        received_at=datetime(2030, 1, 1, tzinfo=UTC),
        outcome=EventOutcome.ACCEPTED,
    )


async def test_what_comes_while_a_batch_is_written_is_the_next_batch() -> None:
    inbox = SlowInbox()
    log = EventLog(inbox, trigger="webhook", gather_seconds=0)
    running = asyncio.create_task(log.run())
    log.add(_event(1))
    await inbox.reached.wait()
    for number in range(2, 6):
        log.add(_event(number))
    inbox.released.set()
    while len(await inbox.list_events()) < 5:
        await asyncio.sleep(0)
    running.cancel()

    assert inbox.batches == [1, 4]
    assert [event.id.int for event in await inbox.list_events()] == [5, 4, 3, 2, 1]


async def test_a_batch_that_is_cancelled_under_way_is_written_by_the_last_flush() -> None:
    inbox = SlowInbox()
    log = EventLog(inbox, trigger="webhook", gather_seconds=0)
    running = asyncio.create_task(log.run())
    log.add(_event(1))
    await inbox.reached.wait()
    running.cancel()
    await asyncio.wait({running})
    log.add(_event(2))
    inbox.released.set()
    await log.flush()

    assert [event.id.int for event in await inbox.list_events()] == [2, 1]


async def test_an_inbox_that_fails_costs_the_lines_and_no_more() -> None:
    log = EventLog(BrokenInbox(), trigger="webhook")
    log.add(_event(1))
    log.add(_event(2))

    with capture_logs() as logs:
        await log.flush()

    assert [(line["event"], line["events"]) for line in logs] == [("event_not_recorded", 2)]


async def test_a_stuck_inbox_does_not_fill_the_memory() -> None:
    inbox = MemoryEventInbox(max_events=20_000)
    log = EventLog(inbox, trigger="webhook")

    with capture_logs() as logs:
        for number in range(10_005):
            log.add(_event(number))
        await log.flush()

    assert [line["events"] for line in logs] == [5]
    assert len(await inbox.list_events(limit=20_000)) == 10_000


async def test_events_of_a_write_that_was_cancelled_keep_their_place() -> None:
    inbox = SlowInbox()
    log = EventLog(inbox, trigger="webhook", gather_seconds=0)
    for number in (1, 2):
        log.add(_event(number))
    flushing = asyncio.create_task(log.flush())
    await inbox.reached.wait()
    log.add(_event(3))
    flushing.cancel()
    await asyncio.wait({flushing})
    inbox.released.set()
    await log.flush()

    assert [event.id.int for event in await inbox.list_events()] == [3, 2, 1]


async def test_an_inbox_that_never_answers_keeps_nobody_who_ends() -> None:
    log = EventLog(SlowInbox(), trigger="webhook", answer_seconds=0.01)
    log.add(_event(1))
    with capture_logs() as logs:
        await asyncio.wait_for(log.flush(), timeout=5)

    assert [(line["event"], line["error"]) for line in logs] == [
        ("event_not_recorded", "the inbox has not answered for 0.01 seconds")
    ]
