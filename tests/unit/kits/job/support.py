"""What the worker's tests share."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Protocol

from portico.kits.job import WorkerManager
from portico.testing import FakeClock


class StartWorker(Protocol):
    async def __call__(self, *handlers: Any, **options: Any) -> WorkerManager: ...


async def stop(worker: WorkerManager, clock: FakeClock) -> None:
    """Stop, letting the grace pass."""
    stopping = asyncio.create_task(worker.stop())
    for _ in range(5):
        await clock.settle()
        if not stopping.done():
            await clock.advance(30)
    await stopping


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    """Let the loop and other threads run until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        await asyncio.sleep(0)


def events(logs: list[Any], *names: str) -> list[str]:
    """Return the names of the logged events, in order; only those named, if any."""
    return [entry["event"] for entry in logs if not names or entry["event"] in names]
