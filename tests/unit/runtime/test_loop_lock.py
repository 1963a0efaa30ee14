"""A lock that outlives event loops."""

import asyncio

import pytest

from portico.runtime.loop_lock import LoopLock


@pytest.mark.asyncio
async def test_one_holder_at_a_time() -> None:
    lock, inside, most = LoopLock(), 0, 0

    async def hold() -> None:
        nonlocal inside, most
        async with lock:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(hold() for _ in range(5)))
    assert most == 1


def test_a_loop_that_ended_holds_nothing() -> None:
    lock = LoopLock()

    async def take_and_never_return() -> None:
        await lock.__aenter__()

    async def contend() -> int:
        async def hold() -> int:
            async with lock:
                await asyncio.sleep(0)
            return 1

        return sum(await asyncio.gather(hold(), hold()))

    asyncio.run(take_and_never_return())
    assert asyncio.run(contend()) == 2
