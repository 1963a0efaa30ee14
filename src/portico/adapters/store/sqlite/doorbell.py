"""Waking the other processes on a file the moment there is something for them."""

import asyncio
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

from portico.utils.logging import get_logger

_SUFFIX = ".bell"
_SETTLED_NANOSECONDS = 50_000_000
_AT_MOST = 64

logger = get_logger(__name__)


class Doorbell:
    """A datagram socket for each session, in the folder of the file; whoever writes sends an empty one to the others.

    A hint that may get lost, or not work at all (a path that is too long, another user's socket): whoever waits looks
    for himself too.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._path = folder / f"{name}{_SUFFIX}"
        self._socket: socket.socket | None = None
        self._others: tuple[str, ...] = ()
        self._others_as_of = 0
        self._is_ringing = False
        self._open()

    @property
    def works(self) -> bool:
        """False where others cannot ring here."""
        return self._socket is not None

    def close(self) -> None:
        """Take the bell down."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._path.unlink(missing_ok=True)

    def renew(self) -> None:
        """Hang it up again if somebody deleted it."""
        if self._socket is not None and not self._path.exists():
            self._socket.close()
            self._open()

    def ring(self) -> None:
        """Wake the others; many calls in one tick of the event loop ring once."""
        if self._is_ringing or self._socket is None:
            return
        self._is_ringing = True
        asyncio.get_running_loop().call_soon(self._send)

    async def wait(self, seconds: float) -> bool:
        """Return True when it rings, or has rung since the last time; False after that many seconds."""
        if self._socket is None:
            await asyncio.sleep(seconds)
            return False
        loop = asyncio.get_running_loop()
        rung = loop.create_future()
        descriptor = self._socket.fileno()
        loop.add_reader(descriptor, _wake, rung)
        try:
            await asyncio.wait([rung], timeout=seconds)
        finally:
            loop.remove_reader(descriptor)
        self._silence()
        return rung.done()

    def _send(self) -> None:
        self._is_ringing = False
        if self._socket is None:
            return
        self._look_for_others()
        for other in self._others:
            try:
                self._socket.sendto(b"", other)
            except ConnectionRefusedError:
                _remove(other)
            except OSError:
                # it is awake already, or gone, or has to look for itself
                continue

    def _silence(self) -> None:
        if self._socket is None:
            return
        with suppress(OSError):
            for _ in range(_AT_MOST):
                self._socket.recv(1)

    def _open(self) -> None:
        bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            bell.setblocking(False)  # noqa: FBT003 - the standard library's signature
            bell.bind(str(self._path))
            # all it says is that there may be something; who may open the folder may ring
            self._path.chmod(0o666)
        except OSError as error:
            bell.close()
            self._socket = None
            logger.info("sqlite_doorbell_unavailable", path=str(self._path), error=str(error))
        else:
            self._socket = bell

    def _look_for_others(self) -> None:
        try:
            changed_at = os.stat(self._folder).st_mtime_ns  # noqa: PTH116 - a third of the time, at each commit
            if changed_at == self._others_as_of:
                return
            bells = [path for path in self._folder.iterdir() if path.suffix == _SUFFIX and path != self._path]
        except OSError:
            return
        self._others = tuple(map(str, bells))
        # a folder may change twice in one tick of the file system's clock
        is_settled = time.time_ns() - changed_at > _SETTLED_NANOSECONDS
        self._others_as_of = changed_at if is_settled else 0


def _wake(rung: asyncio.Future[None]) -> None:
    if not rung.done():
        rung.set_result(None)


def _remove(path: str) -> None:
    # its process is gone: nobody listens
    with suppress(OSError):
        Path(path).unlink()
