import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from sqlalchemy import NullPool, text
from sqlalchemy.ext.asyncio import create_async_engine
from typing_extensions import override

from portico.adapters.job_trigger.database_polling_trigger import DatabasePollingTrigger
from portico.ports.job_creator import JobCreator
from portico.ports.job_trigger import JobTrigger
from portico.testing.contracts.job_trigger import JobTriggerContract


class TestDatabasePollingTrigger(JobTriggerContract):
    @pytest_asyncio.fixture(autouse=True)
    async def database(self, tmp_path: Path) -> AsyncIterator[None]:
        # without a pool no thread outlives a look
        self._engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/items.db", poolclass=NullPool)
        await self._execute("CREATE TABLE items (id INTEGER PRIMARY KEY, status TEXT NOT NULL, data JSON)")
        yield
        await self._engine.dispose()
        # aiosqlite finishes what was cancelled in a thread that wants this loop
        for thread in threading.enumerate():
            if thread.name.endswith("(_connection_worker_thread)"):
                await asyncio.to_thread(thread.join, 5)

    @override
    def make_trigger(self, job_creator: JobCreator) -> DatabasePollingTrigger:
        return DatabasePollingTrigger(job_creator, self._engine, 0.05, table="items")

    @override
    async def emit(self, trigger: JobTrigger) -> None:
        await self._execute("""INSERT INTO items (status, data) VALUES ('pending', '{"size": 3}')""")

    @override
    async def emit_again(self, trigger: JobTrigger) -> None:
        await self._execute("UPDATE items SET status = 'pending'")

    async def _execute(self, statement: str) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(text(statement))
