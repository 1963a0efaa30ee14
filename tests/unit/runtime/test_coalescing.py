"""Concurrent calls that become one batch."""

import asyncio
from collections.abc import Sequence

import pytest

from portico.exceptions import ConfigurationError, DatabaseError, ValidationError
from portico.runtime.coalescing import Coalescer

pytestmark = pytest.mark.asyncio


class Doubler:
    """Answers with twice the item; refuses what it is told to; holds batches back while `gate` is closed."""

    def __init__(self, *, bad: int | None = None, error: Exception | None = None) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._bad = bad
        self._error = error or ValidationError("refused")

    async def run(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        await self.gate.wait()
        if self._bad in items:
            raise self._error
        return [item * 2 for item in items]


async def test_calls_of_one_tick_become_one_batch() -> None:
    doubler = Doubler()
    coalescer = Coalescer(doubler.run, name="test")
    answers = await asyncio.gather(*(coalescer.submit(number) for number in range(5)))
    assert answers == [0, 2, 4, 6, 8]
    assert doubler.batches == [[0, 1, 2, 3, 4]]


async def test_a_lone_caller_waits_for_no_timer() -> None:
    doubler = Doubler()
    submitting = asyncio.create_task(Coalescer(doubler.run, name="test").submit(1))
    for _ in range(4):
        await asyncio.sleep(0)
    assert doubler.batches == [[1]]
    assert await submitting == 2


async def test_a_batch_has_a_largest_size_and_keeps_the_order() -> None:
    doubler = Doubler()
    coalescer = Coalescer(doubler.run, name="test", max_batch=2, max_in_flight=1)
    await asyncio.gather(*(coalescer.submit(number) for number in range(5)))
    assert doubler.batches == [[0, 1], [2, 3], [4]]


async def test_what_comes_while_enough_batches_are_out_gathers() -> None:
    doubler = Doubler()
    doubler.gate.clear()
    coalescer = Coalescer(doubler.run, name="test", max_in_flight=1)
    calls = []
    for number in range(4):
        calls.append(asyncio.create_task(coalescer.submit(number)))
        for _ in range(5):
            await asyncio.sleep(0)
    assert doubler.batches == [[0]]
    doubler.gate.set()
    assert await asyncio.gather(*calls) == [0, 2, 4, 6]
    assert doubler.batches == [[0], [1, 2, 3]]


async def test_an_error_hits_only_its_culprit() -> None:
    coalescer = Coalescer(Doubler(bad=1).run, name="test")
    answers = await asyncio.gather(*(coalescer.submit(number) for number in range(3)), return_exceptions=True)
    assert answers[0] == 0
    assert isinstance(answers[1], ValidationError)
    assert answers[2] == 4


async def test_a_store_that_is_down_is_asked_once_and_not_once_for_each() -> None:
    doubler = Doubler(bad=1, error=DatabaseError("down"))
    coalescer = Coalescer(doubler.run, name="test")
    answers = await asyncio.gather(*(coalescer.submit(number) for number in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [DatabaseError] * 3
    assert doubler.batches == [[0, 1, 2]]


async def test_a_caller_cancelled_before_the_batch_goes_out_takes_its_item_along() -> None:
    doubler = Doubler()
    coalescer = Coalescer(doubler.run, name="test")
    withdrawn = asyncio.create_task(coalescer.submit(1))
    kept = asyncio.create_task(coalescer.submit(2))
    asyncio.get_running_loop().call_soon(withdrawn.cancel)
    assert await kept == 4
    assert withdrawn.cancelled()
    assert doubler.batches in ([[2]], [[1, 2]])


async def test_a_caller_cancelled_under_way_disturbs_nobody_and_its_item_happens() -> None:
    doubler = Doubler()
    doubler.gate.clear()
    coalescer = Coalescer(doubler.run, name="test")
    calls = [asyncio.create_task(coalescer.submit(number)) for number in range(3)]
    for _ in range(5):
        await asyncio.sleep(0)
    calls[0].cancel()
    doubler.gate.set()
    assert await asyncio.gather(*calls[1:]) == [2, 4]
    assert doubler.batches == [[0, 1, 2]]
    with pytest.raises(asyncio.CancelledError):
        await calls[0]


async def test_drain_waits_for_what_was_submitted() -> None:
    doubler = Doubler()
    coalescer = Coalescer(doubler.run, name="test", max_batch=1, max_in_flight=1)
    calls = [asyncio.create_task(coalescer.submit(number)) for number in range(3)]
    await asyncio.sleep(0)
    await coalescer.drain()
    assert all(call.done() or doubler.batches for call in calls)
    assert doubler.batches == [[0], [1], [2]]
    assert await asyncio.gather(*calls) == [0, 2, 4]


async def test_an_answer_of_the_wrong_length_is_an_error_and_not_a_hang() -> None:
    async def answers_too_little(items: Sequence[int]) -> list[int]:
        return [1]

    coalescer = Coalescer(answers_too_little, name="test")
    async with asyncio.timeout(5):
        results = await asyncio.gather(coalescer.submit(1), coalescer.submit(2), return_exceptions=True)
    assert results[0] == 1
    assert isinstance(results[1], BaseException)


@pytest.mark.parametrize("limits", [{"max_batch": 0}, {"max_in_flight": 0}])
async def test_limits_below_one_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match="at least 1"):
        Coalescer(Doubler().run, name="test", **limits)
