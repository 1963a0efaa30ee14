"""What the tests of triggers on real servers share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from typing_extensions import override

from portico.ports.job import Job
from portico.ports.job_trigger import JobTrigger
from portico.testing import RecordingJobCreator


@asynccontextmanager
async def running(trigger: JobTrigger) -> AsyncIterator[None]:
    await trigger.start()
    try:
        yield
    finally:
        await trigger.stop()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


class SlowJobCreator(RecordingJobCreator):
    """Creates nothing until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self.may_finish = asyncio.Event()

    @override
    async def create_job(self, *args: Any, **kwargs: Any) -> Job:
        self.reached.set()
        await self.may_finish.wait()
        return await super().create_job(*args, **kwargs)
