"""What a producer does with any queue."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import islice
from typing import Any

Payload = dict[str, Any]

BATCH = 1_000


class Client(ABC):
    """The producer's side of a queue; `prepare` comes first, on an empty store, and only once."""

    async def prepare(self) -> None:
        """Create what the queue needs in its store."""
        return

    async def open(self) -> None:
        """Connect."""
        return

    async def close(self) -> None:
        """Let go of the connections."""
        return

    @abstractmethod
    async def enqueue(self, payload: Payload) -> None:
        """Create one job, confirmed as the queue confirms by default."""

    async def enqueue_many(self, payloads: Sequence[Payload]) -> None:
        """Create many jobs in the best way that the queue has for it; one by one where it has none."""
        for payload in payloads:
            await self.enqueue(payload)


def batches(payloads: Sequence[Payload]) -> list[list[Payload]]:
    """Cut into batches of `BATCH`."""
    rest = iter(payloads)
    cut = []
    while batch := list(islice(rest, BATCH)):
        cut.append(batch)
    return cut
