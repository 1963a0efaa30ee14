import asyncio

import pytest

from portico.kits.job.job_slots import JobSlots


def test_a_slot_is_free_until_it_is_taken_and_after_it_is_left() -> None:
    slots = JobSlots(2)

    slots.take()
    assert slots.free == 1
    slots.leave()
    assert slots.free == 2


def test_a_parked_job_takes_no_slot_until_there_are_too_many() -> None:
    slots = JobSlots(1)
    for _ in range(12):
        slots.take()
    parked = [slots.parked() for _ in range(12)]

    for park in parked[:10]:
        park.__enter__()
    assert slots.free == -1
    for park in parked[10:]:
        park.__enter__()
    assert slots.free == -1
    parked[0].__exit__(None, None, None)
    slots.leave()
    assert slots.free == 0


@pytest.mark.asyncio
async def test_who_waits_for_a_slot_goes_on_when_one_is_left() -> None:
    slots = JobSlots(1)
    slots.take()
    waiting = asyncio.create_task(slots.wait_until(lambda: slots.free > 0))
    await asyncio.sleep(0)
    assert not waiting.done()

    slots.leave()
    await waiting
