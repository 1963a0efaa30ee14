"""Lines of the inbox about ticks that became jobs."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from portico.exceptions import DatabaseError
from portico.ports.event_inbox import EventOutcome, InboxEvent
from portico.ports.job import Job
from portico.runtime.memory_state import MemoryEventInbox
from portico.runtime.tick_log import TickLog

pytestmark = pytest.mark.asyncio

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def _job(number: int, *, is_duplicate: bool = False) -> Job:
    job_id = UUID(int=number)
    return Job(id=job_id, queue_name="default", job_type="t", payload={}, is_duplicate=is_duplicate)


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_each_tick_is_a_line_with_its_outcome() -> None:
    inbox = MemoryEventInbox()
    log = TickLog(inbox, trigger="schedule")
    log.add(NOW, ["a:1", "b:1"], [_job(1), _job(2, is_duplicate=True)])
    await log.flush()

    second, first = await inbox.list_events()
    assert (first.source_id, first.outcome, first.job_ids) == ("a:1", EventOutcome.ACCEPTED, (UUID(int=1),))
    assert (second.source_id, second.outcome, second.job_ids) == ("b:1", EventOutcome.DUPLICATE, (UUID(int=2),))
    assert (first.trigger, first.received_at) == ("schedule", NOW)


async def test_lines_wait_until_nothing_is_due() -> None:
    inbox, nothing_is_due = MemoryEventInbox(), asyncio.Event()
    log = TickLog(inbox, trigger="schedule")
    running = asyncio.create_task(log.run(nothing_is_due))
    log.add(NOW, ["a:1"], [_job(1)])
    await _settle()
    assert await inbox.list_events() == []
    nothing_is_due.set()
    await _settle()

    assert len(await inbox.list_events()) == 1
    running.cancel()


async def test_very_many_lines_do_not_wait() -> None:
    inbox = MemoryEventInbox()
    log = TickLog(inbox, trigger="schedule")
    running = asyncio.create_task(log.run(asyncio.Event()))
    for number in range(1_003):
        log.add(NOW, [f"a:{number}"], [_job(number)])
    await _settle()

    assert len(await inbox.list_events(limit=100)) == 4
    running.cancel()


async def test_a_line_that_is_cancelled_under_way_is_written_by_the_flush() -> None:
    class Slow(MemoryEventInbox):
        is_slow = True

        @override
        async def record_many(self, events: Sequence[InboxEvent]) -> None:
            if self.is_slow:
                await asyncio.Event().wait()
            await super().record_many(events)

    inbox, nothing_is_due = Slow(), asyncio.Event()
    nothing_is_due.set()
    log = TickLog(inbox, trigger="schedule")
    running = asyncio.create_task(log.run(nothing_is_due))
    log.add(NOW, ["a:1"], [_job(1)])
    await _settle()
    running.cancel()
    await asyncio.wait({running})
    inbox.is_slow = False
    await log.flush()

    assert len(await inbox.list_events()) == 1


async def test_an_inbox_that_hangs_does_not_fill_the_memory() -> None:
    inbox = MemoryEventInbox(max_events=1_000_000)
    log = TickLog(inbox, trigger="schedule")
    for number in range(13_000):
        log.add(NOW, [f"a:{number}"], [_job(number)])
    with capture_logs() as logs:
        await log.flush()

    kept = len(await inbox.list_events(limit=20_000))
    assert 11_000 < kept <= 12_000
    assert [(line["event"], line["events"]) for line in logs] == [("event_not_recorded", 13_000 - kept)]


async def test_an_inbox_that_fails_at_the_end_is_asked_once() -> None:
    class Broken(MemoryEventInbox):
        asked = 0

        @override
        async def record_many(self, events: Sequence[InboxEvent]) -> None:
            self.asked += 1
            raise DatabaseError("the disk is full")

    inbox = Broken()
    log = TickLog(inbox, trigger="schedule")
    for number in range(3):
        log.add(NOW, [f"a:{number}", f"b:{number}"], [_job(number), _job(number)])
    with capture_logs() as logs:
        await log.flush()

    assert inbox.asked == 1
    assert [(line["events"], line["error"]) for line in logs] == [
        (2, "DatabaseError: the disk is full"),
        (4, "the inbox failed before"),
    ]
