"""A folder that is looked at again and again."""

from collections.abc import Mapping
from dataclasses import dataclass

from portico.adapters.file_system.scanning import Scanner
from portico.adapters.file_system.settling import Folders, Judgement, Snapshot, Version, judge

_NOT_PERMITTED = "PermissionError"


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What a look at the folder found out; paths are relative to it."""

    complete: Mapping[str, Version]
    """Files that have no event yet, oldest first."""
    unreadable: Mapping[str, str]
    """Files and folders that are there and cannot be read, with the error's class."""
    gone: frozenset[str]
    """Seen files that are no longer there."""
    due_in_seconds: float
    """How long after the look the next file will be complete if nothing changes."""
    took_seconds: float


class WatchedFolder:
    """Remembers which files wait for completion; its methods block, and one thread calls them."""

    def __init__(self, scanner: Scanner, settle_seconds: float) -> None:
        self._scanner = scanner
        self._settle_seconds = settle_seconds
        self._judgement = Judgement()
        self.folders: Folders = frozenset()
        """The folders of the last look; the same object as long as they are the same."""

    def contents(self) -> dict[str, Version]:
        """Return all files as they are, complete or not.

        Raises:
            OSError: the folder is missing, is no folder or cannot be read.

        """
        return {path: stamp.version for path, stamp in self._scan().files.items()}

    def look(self, seen: Mapping[str, Version]) -> Sight:
        """Scan, and tell what is new beside `seen`.

        Raises:
            OSError: the folder is missing, is no folder or cannot be read.

        """
        snapshot = self._scan()
        self._judgement = judge(self._judgement, snapshot, seen, settle_seconds=self._settle_seconds)
        unreadable = dict.fromkeys(self._scanner.unreadable(self._judgement.complete), _NOT_PERMITTED)
        return Sight(
            complete={
                path: snapshot.files[path].version for path in self._judgement.complete if path not in unreadable
            },
            unreadable={**snapshot.unreadable, **unreadable},
            gone=_gone(snapshot, seen),
            due_in_seconds=self._judgement.due_in_seconds,
            took_seconds=snapshot.ended - snapshot.began,
        )

    def _scan(self) -> Snapshot:
        snapshot = self._scanner.scan()
        if snapshot.folders != self.folders:
            self.folders = snapshot.folders
        return snapshot


def _gone(snapshot: Snapshot, seen: Mapping[str, Version]) -> frozenset[str]:
    # an unmounted share looks like an empty folder, and what cannot be read may be there
    if not snapshot.files or snapshot.unreadable:
        return frozenset()
    return frozenset(seen.keys() - snapshot.files.keys())
