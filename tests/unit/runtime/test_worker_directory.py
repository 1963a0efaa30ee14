"""Which queues live workers serve, as their common store has it."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from portico.runtime.memory_state import MemoryTriggerStore
from portico.runtime.worker_directory import WorkerDirectory
from portico.testing import FakeClock

pytestmark = pytest.mark.asyncio
NOW = datetime(2030, 1, 1, tzinfo=UTC)


async def _warned(directory: WorkerDirectory, queue_name: str) -> bool:
    with capture_logs() as logs:
        await directory.check(queue_name)
    return [entry["event"] for entry in logs] == ["queue_without_worker"]


@pytest.mark.parametrize("ahead", [timedelta(minutes=-5), timedelta(), timedelta(minutes=5)])
async def test_machines_whose_clocks_differ_see_each_others_workers(ahead: timedelta) -> None:
    store = MemoryTriggerStore(clock=FakeClock(NOW))
    there = WorkerDirectory(store, clock=FakeClock(NOW + ahead))
    there.serve(["mail"])
    await there.start()

    assert not await _warned(WorkerDirectory(store, clock=FakeClock(NOW)), "mail")
    await there.stop()


@pytest.mark.parametrize(
    ("served", "way_out"), [(["bulk"], "compose.jobs(..., queues=[...])"), ([], "none is running, see portico worker")]
)
async def test_the_warning_tells_a_queue_that_was_forgotten_from_workers_that_were(
    served: list[str], way_out: str
) -> None:
    store = MemoryTriggerStore(clock=FakeClock(NOW))
    there = WorkerDirectory(store, clock=FakeClock(NOW))
    there.serve(served)
    await there.start()

    with capture_logs() as logs:
        await WorkerDirectory(store, clock=FakeClock(NOW)).check("mail")
    await there.stop()

    assert logs[0]["hint"] == f"jobs wait in 'mail' until a worker serves it: {way_out}"


async def test_a_worker_that_was_killed_serves_nothing_after_half_a_minute() -> None:
    clock = FakeClock(NOW)
    store = MemoryTriggerStore(clock=clock)
    killed = WorkerDirectory(store, clock=FakeClock(NOW))
    killed.serve(["mail"])
    await killed.start()
    await clock.advance(30)
    assert not await _warned(WorkerDirectory(store, clock=clock), "mail")
    await clock.advance(6)

    assert await _warned(WorkerDirectory(store, clock=clock), "mail")
    await killed.stop()


async def test_a_live_worker_says_so_again_and_again() -> None:
    clock = FakeClock(NOW)
    store = MemoryTriggerStore(clock=clock)
    alive = WorkerDirectory(store, clock=clock)
    alive.serve(["mail"])
    await alive.start()
    await clock.advance(300)

    assert not await _warned(WorkerDirectory(store, clock=clock), "mail")
    await alive.stop()
    assert await _warned(WorkerDirectory(store, clock=clock), "mail")
