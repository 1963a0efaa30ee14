"""Cutting off what takes too long."""

import asyncio

import pytest

from portico.runtime.deadlines import Deadline, Deadlines


async def _wait_within(deadlines: Deadlines, release: asyncio.Event) -> str:
    with deadlines.begin():
        await release.wait()
    return "done"


async def _until_under_way(*tasks: asyncio.Task[str]) -> None:
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


@pytest.mark.asyncio
async def test_what_takes_too_long_is_cut_off_and_what_does_not_is_left_alone() -> None:
    deadlines = Deadlines(0.01)
    never, soon = asyncio.Event(), asyncio.Event()
    late, quick = (asyncio.create_task(_wait_within(deadlines, release)) for release in (never, soon))
    await _until_under_way(late, quick)
    soon.set()

    assert await quick == "done"
    with pytest.raises(TimeoutError):
        await late


@pytest.mark.asyncio
async def test_one_that_begins_while_another_is_watched_has_its_own_time() -> None:
    deadlines = Deadlines(0.02)
    never = asyncio.Event()
    first = asyncio.create_task(_wait_within(deadlines, never))
    await _until_under_way(first)
    await asyncio.sleep(0.01)
    second = asyncio.create_task(_wait_within(deadlines, never))

    with pytest.raises(TimeoutError):
        await first
    assert not second.done()
    with pytest.raises(TimeoutError):
        await second


@pytest.mark.asyncio
async def test_all_can_be_cut_off_at_once_with_the_reason() -> None:
    deadlines = Deadlines(60)
    tasks = [asyncio.create_task(_wait_within(deadlines, asyncio.Event())) for _ in range(3)]
    await _until_under_way(*tasks)
    deadlines.cut_off_all(InterruptedError)
    deadlines.cut_off_all(TimeoutError)

    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [InterruptedError] * 3


@pytest.mark.asyncio
@pytest.mark.parametrize("is_late", [False, True])
async def test_who_is_cancelled_by_somebody_else_stays_cancelled(is_late: bool) -> None:  # noqa: FBT001 - a case
    deadlines = Deadlines(60)
    task = asyncio.create_task(_wait_within(deadlines, asyncio.Event()))
    await _until_under_way(task)
    if is_late:
        deadlines.cut_off_all(TimeoutError)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


@pytest.mark.asyncio
async def test_an_error_of_its_own_passes() -> None:
    with pytest.raises(KeyError), Deadlines(60).begin():
        raise KeyError


@pytest.mark.asyncio
async def test_a_task_that_was_cut_off_can_go_on() -> None:
    with pytest.raises(TimeoutError):
        await _wait_within(Deadlines(0), asyncio.Event())

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


def test_it_outlives_an_event_loop() -> None:
    deadlines = Deadlines(0.01)

    async def waits_for_ever() -> None:
        with pytest.raises(TimeoutError):
            await _wait_within(deadlines, asyncio.Event())

    async def ends_early() -> Deadline:
        with (deadline := deadlines.begin()):
            return deadline

    for use in (ends_early, waits_for_ever, ends_early, waits_for_ever):
        asyncio.run(asyncio.wait_for(use(), 5))
