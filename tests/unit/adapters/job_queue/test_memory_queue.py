"""What the queue in memory does while others want the event loop."""

import asyncio
from uuid import UUID

import pytest

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.ports.job import Job
from portico.ports.job_limits import ConcurrencyLimit

pytestmark = pytest.mark.asyncio

MANY = 3_000


async def crowded_queue() -> MemoryJobQueueAdapter:
    """One job that may run, many that must wait for it, and behind them one under no limit."""
    queue = MemoryJobQueueAdapter(limits=[ConcurrencyLimit(1, job_type="limited")])
    types = ["limited"] * (1 + MANY) + ["free"]
    await queue.enqueue_many(
        [Job(id=UUID(int=number), queue_name="q", job_type=kind, payload={}) for number, kind in enumerate(types)]
    )
    return queue


async def test_others_have_their_turn_while_a_claim_parks_many_jobs() -> None:
    crowded = await crowded_queue()
    await crowded.dequeue("q", timeout=0)
    claim = asyncio.create_task(crowded.dequeue_many("q", 10, timeout=0))
    turns = 0
    while not claim.done():
        await asyncio.sleep(0)
        turns += 1

    assert [job.job_type for job in claim.result()] == ["free"]
    assert turns > MANY // 1_000


async def test_who_claims_again_and_again_lets_others_have_their_turn() -> None:
    crowded = await crowded_queue()

    async def drain() -> list[str]:
        claimed: list[str] = []
        while "free" not in claimed:
            await crowded.wait_for_jobs(["q"], 60)
            claimed += [job.job_type for job in await crowded.dequeue_many("q", 10, timeout=0)]
        return claimed

    draining = asyncio.create_task(drain())
    turns = 0
    while not draining.done():
        await asyncio.sleep(0)
        turns += 1

    assert draining.result() == ["limited", "free"]
    assert turns > MANY // 1_000


async def test_a_claim_that_is_cancelled_while_others_have_their_turn_has_claimed_nothing() -> None:
    crowded = await crowded_queue()
    await crowded.dequeue("q", timeout=0)
    claim = asyncio.create_task(crowded.dequeue_many("q", 10, timeout=0))
    await asyncio.sleep(0)
    claim.cancel()
    with pytest.raises(asyncio.CancelledError):
        await claim

    assert (await crowded.get_queue_stats("q")).running_count == 1
    assert [job.job_type for job in await crowded.dequeue_many("q", 10, timeout=0)] == ["free"]
