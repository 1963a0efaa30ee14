"""Writing: something small at once where nobody else writes, everything else in a thread, in groups."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from typing_extensions import override

from portico.adapters.store.sqlite.connection_thread import ConnectionThread, Outcome, Request
from portico.adapters.store.sqlite.locks import FileLock
from portico.adapters.store.sqlite.schema import Durability
from portico.adapters.store.sqlite.write_connection import WriteConnection

_MOST_ROWS_AT_ONCE = 100
"""What the event loop does itself: one or two milliseconds' work."""
_MOST_GATHERED = 64
"""Beyond this a larger transaction is hardly cheaper."""


class Writer(ConnectionThread):
    """What is submitted in one tick of the event loop becomes one transaction.

    After a transaction of several the next one also waits for what the next ticks bring, until one brings nothing:
    where many callers come one by one, a commit for each few of them would take most of the time.

    The loop commits it itself when it is small and nothing has to be waited for: that is twice as fast for a lone
    caller, as two threads are not needed to hand a job over. Otherwise the thread does, with whatever has gathered.
    With ``durability="power"`` each commit waits for the disk, so all are the thread's.
    """

    _name = "portico-sqlite-writer"

    def __init__(self, path: Path, durability: Durability, lock: FileLock) -> None:
        super().__init__(path)
        self._connection = WriteConnection(path, durability, lock)
        self._rows_at_once = _MOST_ROWS_AT_ONCE if durability == "process" else 0
        self._gathered: list[Request] = []
        self._has_company = False

    @override
    async def stop(self) -> None:
        self._send()
        await super().stop()

    def data_version(self) -> int | None:
        """Return a number that changes with every commit of another connection; None where that must be waited for."""
        return self._connection.data_version_at_once()

    @override
    def _accept(self, request: Request) -> None:
        self._gathered.append(request)
        if len(self._gathered) == 1:
            request.future.get_loop().call_soon(self._send_when_quiet, 0)

    def _send_when_quiet(self, seen: int) -> None:
        count = len(self._gathered)
        if self._has_company and seen < count < _MOST_GATHERED:
            asyncio.get_running_loop().call_soon(self._send_when_quiet, count)
        else:
            self._send()

    def _send(self) -> None:
        batch, self._gathered = self._gathered, []
        self._has_company = len(batch) > 1
        if batch and not self._commit_at_once(batch):
            self._hand_over(batch)

    def _commit_at_once(self, batch: Sequence[Request]) -> bool:
        if self._unanswered or sum(request.rows for request in batch) > self._rows_at_once:
            return False
        was_at_rest = self._is_at_rest
        outcomes = self._connection.commit_at_once(batch)
        if outcomes is None:
            return False
        if was_at_rest:
            # so that it looks at the log in a while
            self._requests.put(())
        for outcome in outcomes:
            outcome.deliver()
        return True

    @property
    @override
    def _is_at_rest(self) -> bool:
        return self._connection.is_checkpointed

    @override
    def _connect(self) -> None:
        self._connection.open()

    @override
    def _disconnect(self) -> None:
        self._connection.close()

    @override
    def _run(self, batch: Sequence[Request]) -> list[Outcome]:
        outcomes = self._connection.commit(batch)
        self._connection.checkpoint_when_long()
        return outcomes

    @override
    def _idle(self) -> None:
        self._connection.checkpoint_when_quiet()
