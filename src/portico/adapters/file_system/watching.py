"""The operating system's word that something changed: a hint that may never come."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from watchfiles import awatch

from portico.adapters.file_system.watched_folder import WatchedFolder
from portico.ports.clock import Clock
from portico.runtime.service import describe
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_MILLISECONDS = 1_000
_QUIET_MS = 50
"""A burst is one hint when nothing happened for so long ..."""
_BURST_MS = 250
"""... or it lasts for this long."""


@dataclass(frozen=True, kw_only=True)
class FolderWatch:
    """Sets `changed` when something changes below `path`, as far as the operating system tells.

    A watch that is lost (the limit on watches, a folder that was deleted) is logged once, and tried again every
    `retry_seconds`.
    """

    trigger: str
    path: Path
    recursive: bool
    folder: WatchedFolder
    changed: asyncio.Event
    retry_seconds: float
    clock: Clock

    async def run(self) -> None:
        """Watch until cancelled."""
        is_lost = False
        while True:
            try:
                await self._watch()
                is_lost = False
            except (OSError, RuntimeError) as error:
                if not is_lost:
                    logger.warning("folder_watch_lost", trigger=self.trigger, error=describe(error))
                is_lost = True
            await self.clock.sleep(self.retry_seconds)

    async def _watch(self) -> None:
        watched = self.folder.folder_id
        batches = awatch(
            self.path,
            watch_filter=None,
            debounce=_BURST_MS,
            step=_QUIET_MS,
            rust_timeout=max(1, round(self.retry_seconds * _MILLISECONDS)),
            yield_on_timeout=True,
            recursive=self.recursive,
            ignore_permission_denied=True,
        )
        async with aclosing(batches):
            async for batch in batches:
                if batch:
                    self.changed.set()
                if self.folder.folder_id != watched:
                    return  # another folder under the same name: this watch will never hear of it
