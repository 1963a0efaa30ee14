"""The operating system's word that something changed: a hint that may never come."""

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from watchfiles import Change, watch

from portico.adapters.file_system.settling import Folders
from portico.adapters.file_system.watched_folder import WatchedFolder

_QUIET_MS = 50
"""A burst is one hint when nothing happened for so long ..."""
_BURST_MS = 250
"""... or it lasts for this long."""
_FIRST_HINT_MS = 500
"""How long after it began a watch hints at what it may have missed."""


@dataclass(frozen=True, kw_only=True)
class _Outdated:
    """The event that ends a watch: the run is over, or the last look found other folders."""

    folder: WatchedFolder
    folders: Folders
    ended: threading.Event

    def is_set(self) -> bool:
        return self.ended.is_set() or self.folder.folders is not self.folders


def watch_once(path: Path, folder: WatchedFolder, ended: threading.Event, changed: Callable[[], object]) -> None:
    """Call `changed` for each burst of changes in the folders of the last look, until there are others; blocks.

    Each folder is watched by itself: a recursive watch would follow symbolic links to wherever they point.

    Raises:
        OSError: a folder is missing, or the limit on watches is reached.
        RuntimeError: the notification library gave up.

    """
    outdated = _Outdated(folder=folder, folders=folder.folders, ended=ended)
    paths = {str(path / name) for name, _ in outdated.folders}
    batches = watch(
        *paths,
        watch_filter=None,
        debounce=_BURST_MS,
        step=_QUIET_MS,
        stop_event=outdated,
        raise_interrupt=False,
        recursive=False,
        ignore_permission_denied=True,
        yield_on_timeout=True,
        rust_timeout=_FIRST_HINT_MS,
    )
    is_new = True
    with closing(batches):
        for batch in batches:
            # a new watch has missed what came while it was built
            if batch or is_new:
                changed()
            is_new = False
            if any(change is Change.deleted and name in paths for change, name in batch):
                return  # one that comes again under the same name would not be heard
