"""Lone calls and concurrent ones."""

import asyncio
from collections.abc import Sequence

import pytest

from portico.adapters.store.redis.single_calls import SingleCalls
from portico.exceptions import DatabaseError

pytestmark = pytest.mark.asyncio


class Doubling:
    """Answers when it is let go, with twice each number."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.is_free = asyncio.Event()

    async def run(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        await self.is_free.wait()
        if -1 in numbers:
            raise DatabaseError("the server is gone")
        return [2 * number for number in numbers]


async def test_a_lone_call_goes_out_in_its_callers_own_task() -> None:
    server = Doubling()
    server.is_free.set()
    calls = SingleCalls(server.run, name="test", max_batch=10)
    tasks = len(asyncio.all_tasks())
    assert await calls.submit(1) == 2
    assert await calls.submit(2) == 4
    assert server.batches == [[1], [2]]
    assert len(asyncio.all_tasks()) == tasks


async def test_calls_that_come_while_one_is_under_way_go_out_together() -> None:
    server = Doubling()
    calls = SingleCalls(server.run, name="test", max_batch=10)
    answers = asyncio.gather(*(calls.submit(number) for number in range(5)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    server.is_free.set()
    assert await answers == [0, 2, 4, 6, 8]
    assert server.batches == [[0], [1, 2, 3, 4]]
    await calls.drain()


@pytest.mark.parametrize("way", ["failed", "cancelled"])
async def test_after_a_call_that_did_not_end_well_the_next_is_a_lone_one(way: str) -> None:
    server = Doubling()
    calls = SingleCalls(server.run, name="test", max_batch=10)
    first = asyncio.create_task(calls.submit(-1))
    await asyncio.sleep(0)
    if way == "cancelled":
        first.cancel()
    else:
        server.is_free.set()
    with pytest.raises((DatabaseError, asyncio.CancelledError)):
        await first
    server.is_free.set()
    assert await calls.submit(1) == 2
    assert server.batches[-1] == [1]
