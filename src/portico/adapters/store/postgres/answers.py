"""Answers to claims, in batches."""

from collections.abc import Sequence
from dataclasses import dataclass

from portico.adapters.job_store import Completion, Rejection
from portico.adapters.store.postgres.failures import ConnectionLostError
from portico.adapters.store.postgres.rows import message
from portico.adapters.store.postgres.store import PostgresStore
from portico.ports.job_lifecycle import CANCELLED_MESSAGE
from portico.runtime.documents import encode


@dataclass(frozen=True, slots=True)
class Answered:
    """Which answers matched a running job, and the queues with jobs that may run because of them."""

    matched: list[bool]
    came_back_to: frozenset[str]


async def complete(store: PostgresStore, completions: Sequence[Completion]) -> Answered:
    """Complete running jobs; an answer whose reply was lost is given again, and counts if it had been heard."""
    ids = [each.holding.job_id for each in completions]
    tokens = [each.holding.token for each in completions]
    results = [None if each.result is None else encode(each.result, "result") for each in completions]
    values = (ids, tokens, results, store.now())
    try:
        rows = await store.fetch("job_complete", *values)
    except ConnectionLostError:
        rows = [
            *await store.fetch("job_complete", *values, is_repeatable=True),
            *await store.fetch("job_completed_under", ids, tokens, is_repeatable=True),
        ]
    places = {place for place, _ in rows}
    return Answered(
        [place in places for place in range(1, len(completions) + 1)],
        frozenset(queue_name for _, queue_name in rows if queue_name is not None),
    )


async def reject(store: PostgresStore, rejections: Sequence[Rejection]) -> Answered:
    """Fail running jobs."""
    rows = await store.fetch(
        "job_reject",
        [each.holding.job_id for each in rejections],
        [each.holding.token for each in rejections],
        [int(each.requeue) for each in rejections],
        [message(each.error_message) for each in rejections],
        [store.corrected(each.retry_at) for each in rejections],
        store.now(),
        CANCELLED_MESSAGE,
        "on" if store.durability == "power" else "off",
    )
    places = {row[0] for row in rows}
    return Answered(
        [place in places for place in range(1, len(rejections) + 1)],
        frozenset(queue_name for _, queue_name, can_run in rows if can_run),
    )
