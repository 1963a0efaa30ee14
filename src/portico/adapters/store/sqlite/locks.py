"""Locks between processes that the kernel frees when their holder dies, however it dies."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# the module imports everywhere; the store refuses to be built where there is no flock
if sys.platform != "win32":
    import fcntl


class FileLock:
    """An advisory lock on a file of its own; also between two holders in one process."""

    def __init__(self, path: Path) -> None:
        # for reading, which is enough for the lock: the file may be another user's
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait for the lock and hold it."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


class Session:
    """The life of one open store, as other processes of the host can see it: a locked file.

    No process id: a container has its own numbers, and a number is soon used again.
    """

    def __init__(self, folder: Path) -> None:
        self.name = secrets.token_hex(8)
        self._folder = folder
        self._path = folder / f"{self.name}.session"
        unlocked = folder / f"{self.name}.new"
        self._descriptor = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        # under its name it is never unlocked, so nobody takes a session that begins for one that ended
        unlocked.rename(self._path)

    def end(self) -> None:
        """Say that this session is over."""
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)

    def is_dead(self, name: str) -> bool:
        """Tell whether the process of another session is gone; clears what is left of it."""
        if name == self.name:
            return False
        path = self._folder / f"{name}.session"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        except PermissionError:
            # another user's: nothing is known, so its lease decides
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            # one that may not be removed is found dead again, no more
            with suppress(OSError):
                path.unlink()
            return True
        finally:
            os.close(descriptor)

    def clear_dead(self) -> None:
        """Remove the files of dead sessions that held nothing."""
        for path in self._folder.glob("*.session"):
            self.is_dead(path.stem)
