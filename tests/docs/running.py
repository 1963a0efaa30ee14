"""Triggers that run for the length of a block, and waiting for what they do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from portico.kits.job.job_service import JobService
from portico.ports.job import Job
from portico.testing.stress import Startable

TIMEOUT_SECONDS = 10.0


@asynccontextmanager
async def running(*triggers: Startable) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for trigger in triggers:
            await trigger.start()
            stack.push_async_callback(trigger.stop)
        yield


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not await holds():
            await asyncio.sleep(0.01)


async def jobs_of(job_service: JobService) -> list[Job]:
    """Return the jobs, oldest first."""
    return list(reversed(await job_service.list_jobs()))


async def until_jobs(job_service: JobService, count: int) -> list[Job]:
    async def there() -> bool:
        return len(await job_service.list_jobs()) >= count

    await until(there)
    return await jobs_of(job_service)


def client_of(app: object) -> httpx.AsyncClient:
    """Return a client that calls an ASGI application without a socket."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type] # - FastAPI's own type of an ASGI application
    return httpx.AsyncClient(transport=transport, base_url="http://portico.test")
