"""Which files are complete: a pure function of what was seen before, what is there now, and the time."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

Version = tuple[int, int]
"""Size and modification time in nanoseconds; a file with another version is another event."""
Identity = tuple[int, int, int]
"""Inode, size and modification time: what a rename leaves as it was."""
Folders = frozenset[tuple[str, int]]
"""Paths of folders with their inodes; another inode is another folder under the same name."""

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What one look at a file tells without reading it; times are in nanoseconds by the file system's clock."""

    size: int
    mtime_ns: int
    ctime_ns: int
    """The last change of any kind: a rename or a new mode moves it, and leaves `mtime_ns` behind."""
    inode: int

    @property
    def version(self) -> Version:
        """Size and modification time."""
        return self.size, self.mtime_ns

    @property
    def identity(self) -> Identity:
        """Inode, size and modification time."""
        return self.inode, self.size, self.mtime_ns


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One look at a whole folder; paths are relative to it."""

    files: Mapping[str, FileStamp]
    temporary: frozenset[Identity] = frozenset()
    """Files under a name that is ignored: renamed, they are complete."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Entries that could not be looked at, with the error's class."""
    folders: Folders = frozenset()
    """The folder itself, as the empty path, and those in it that are looked at."""
    began: float = 0.0
    """Monotonic time before the first file was looked at."""
    ended: float = 0.0
    """Monotonic time after the last one was."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A version that has no job yet, and the monotonic time since which it has not changed."""

    version: Version
    since: float


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What is known of the unseen files after a look."""

    complete: tuple[str, ...] = ()
    """Paths, by modification time and then by name."""
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    """All unseen files; a complete one stays until it is seen."""
    temporary: frozenset[Identity] = frozenset()
    due_in_seconds: float = math.inf
    """How long after the look the next file will be complete if nothing changes."""


def judge(before: Judgement, snapshot: Snapshot, seen: Mapping[str, Version], *, settle_seconds: float) -> Judgement:
    """Judge which unseen files are complete.

    Complete is a file whose version has not changed for `settle_seconds` of our time; or for as long by the file
    system's own times, and was then only moved or given other attributes; or that was last seen, in this very version,
    under a temporary name.
    """
    files = {path: stamp for path, stamp in snapshot.files.items() if seen.get(path) != stamp.version}
    waiting = {path: _waiting(before, snapshot, path, settle_seconds) for path in files}
    # from the end of the look that found it to the beginning of this one: looks may take long
    complete = [path for path, wait in waiting.items() if snapshot.began - wait.since >= settle_seconds]
    rests = (
        wait.since + settle_seconds - snapshot.ended
        for wait in waiting.values()
        if snapshot.began - wait.since < settle_seconds
    )
    return Judgement(
        complete=tuple(sorted(complete, key=lambda path: (files[path].mtime_ns, path))),
        waiting=waiting,
        temporary=snapshot.temporary,
        due_in_seconds=min(rests, default=math.inf),
    )


def _waiting(before: Judgement, snapshot: Snapshot, path: str, settle_seconds: float) -> Waiting:
    stamp = snapshot.files[path]
    if _was_put_into_place(before, snapshot, stamp, settle_seconds):
        return Waiting(stamp.version, -math.inf)
    known = before.waiting.get(path)
    return known if known is not None and known.version == stamp.version else Waiting(stamp.version, snapshot.ended)


def _was_put_into_place(before: Judgement, snapshot: Snapshot, stamp: FileStamp, settle_seconds: float) -> bool:
    # both times are the file system's: a server whose clock is wrong does not make a growing file look old
    at_rest_before_it_came = stamp.ctime_ns - stamp.mtime_ns >= settle_seconds * _NANOSECONDS
    # size and time too: a file system gives the inode of a deleted file to the next one
    was_temporary = stamp.identity in before.temporary
    # as long as a hard link has the temporary name, somebody may be writing through it
    return at_rest_before_it_came or (was_temporary and stamp.identity not in snapshot.temporary)
