"""Locks between processes that the kernel frees when their holder dies, however it dies."""

import os
import secrets
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# the module imports everywhere; the store refuses to be built where there is no flock
if sys.platform != "win32":
    import fcntl


class FileLock:
    """An advisory lock on a file of its own; also between two holders in one process.

    The file may be deleted while it is in use, with its folder: whoever locks it next makes both again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait for the lock and hold it."""
        self._lock(fcntl.LOCK_EX)
        try:
            yield
        finally:
            self.release()

    def take_at_once(self) -> bool:
        """Take the lock if nobody has it; `release` gives it back."""
        try:
            self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Let others take the lock."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _lock(self, operation: int) -> None:
        fcntl.flock(self._descriptor, operation)
        while not self._is_in_place():
            # others lock the file of this name, not the one that was deleted
            deleted = self._descriptor
            self._open()
            os.close(deleted)
            fcntl.flock(self._descriptor, operation)

    def _open(self) -> None:
        self._path.parent.mkdir(exist_ok=True)
        # for reading, which is enough for the lock: the file may be another user's
        self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._identity = os.fstat(self._descriptor).st_ino

    def _is_in_place(self) -> bool:
        try:
            return os.stat(self._path).st_ino == self._identity  # noqa: PTH116 - a third of the time, at each commit
        except FileNotFoundError:
            return False


class Session:
    """The life of one open store, as other processes of the host can see it: a locked file.

    No process id: a container has its own numbers, and a number is soon used again. Only a file that is there and
    not locked proves a death; one that is missing may have been deleted under a process that lives.
    """

    def __init__(self, folder: Path) -> None:
        self.name = secrets.token_hex(8)
        self._folder = folder
        self._path = folder / f"{self.name}.session"
        self._descriptor = self._make_file()

    def renew(self) -> None:
        """Make the file again if somebody deleted it."""
        if self._path.exists():
            return
        descriptor = self._make_file()
        os.close(self._descriptor)
        self._descriptor = descriptor

    def end(self) -> None:
        """Say that this session is over."""
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def find_dead(self) -> frozenset[str]:
        """Return the names of the sessions whose process is gone."""
        paths = self._folder.glob("*.session")
        return frozenset(path.stem for path in paths if path != self._path and _is_abandoned(path))

    def bury(self, names: Collection[str]) -> None:
        """Remove the files of dead sessions; nothing of theirs may be left."""
        for name in names:
            # one that may not be removed is found dead again, no more
            with suppress(OSError):
                (self._folder / f"{name}.session").unlink()

    def _make_file(self) -> int:
        self._folder.mkdir(exist_ok=True)
        unlocked = self._folder / f"{self.name}.new"
        descriptor = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # under its name it is never unlocked, so nobody takes a session that begins for one that ended
        unlocked.rename(self._path)
        return descriptor


def _is_abandoned(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        # gone meanwhile, or another user's: nothing is known, so its leases decide
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
