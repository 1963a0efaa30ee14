"""Starting and stopping until something breaks."""

import asyncio
import gc
import random
import threading
from pathlib import Path
from typing import Protocol


class Startable(Protocol):
    """A trigger, a worker, a composed application."""

    async def start(self) -> None:
        """Start it."""
        ...

    async def stop(self) -> None:
        """Stop it."""
        ...


async def stress_start_stop(service: Startable, *, tasks: int = 10, rounds: int = 50, seed: int = 0) -> None:
    """Start and stop `service` from `tasks` tasks at once, `rounds` times each, some of them cancelled half-way.

    Afterwards it is stopped.

    Raises:
        AssertionError: it left a task, a thread or a file descriptor behind.

    """
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    await _start_and_stop(service)  # what is opened once and kept (an executor, a module) is no leak
    before = _resources()
    async with asyncio.TaskGroup() as group:
        for number in range(tasks):
            group.create_task(_hammer(service, rounds, random.Random(chance.random())), name=f"stress-{number}")  # noqa: S311 - as above
    await service.stop()
    await _settle(before)
    after = _resources()
    assert after <= before, f"left behind after {tasks} x {rounds} starts and stops: {sorted(after - before)}"


async def _start_and_stop(service: Startable) -> None:
    await service.start()
    await service.stop()


async def _hammer(service: Startable, rounds: int, chance: random.Random) -> None:
    for _ in range(rounds):
        task = asyncio.create_task(chance.choice((service.start, service.stop))())
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        if chance.random() < 0.2:
            task.cancel()
        await asyncio.wait({task})
        if not task.cancelled() and (error := task.exception()):
            raise error


async def _settle(before: set[str]) -> None:
    gc.collect()
    for _ in range(50):
        if _resources() <= before:
            return
        await asyncio.sleep(0.02)
    gc.collect()


def _resources() -> set[str]:
    current = asyncio.current_task()
    tasks = {f"task {task.get_name()}" for task in asyncio.all_tasks() if task is not current}
    threads = {f"thread {thread.name}" for thread in threading.enumerate()}
    return tasks | threads | _descriptors()


def _descriptors() -> set[str]:
    folder = Path("/proc/self/fd") if Path("/proc/self/fd").exists() else Path("/dev/fd")
    # by count: numbers are reused
    return {f"file descriptor #{number}" for number in range(len(list(folder.iterdir())))}
