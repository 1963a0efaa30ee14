"""An HTTP server that drains on a signal."""

import errno
import gc
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import uvicorn
from typing_extensions import override

from portico.cli.exits import CommandError, ExitCode
from portico.cli.stop_signals import StopSignals
from portico.cli.tracebacks import formatted, users_part
from portico.exceptions import ConfigurationError, ExternalServiceError, PorticoError

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_WAYS_OUT: dict[int | None, str] = {
    errno.EADDRINUSE: "try another port: --port 0 (or PORTICO_PORT=0) takes a free one",
    errno.EACCES: "try a port above 1023",
}


class KeepsStartError:
    """Passes everything on to an ASGI application, and remembers why its lifespan failed."""

    def __init__(self, application: Callable[[_Scope, _Receive, _Send], Awaitable[None]]) -> None:
        self._application = application
        self.error: Exception | None = None

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Serve one connection, or the lifespan."""
        try:
            await self._application(scope, receive, send)
        except Exception as error:
            if scope["type"] == "lifespan":
                self.error = error
            raise


class Server(uvicorn.Server):
    """Uvicorn, with our own signals, so that a drained end has exit code 0."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            # what is there now stays: collections that look at all of it hold every request up for tens of milliseconds
            gc.collect()
            gc.freeze()
            self._on_started()

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        with StopSignals(drain=self._drain):
            yield

    def _drain(self) -> None:
        self.should_exit = True


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        CommandError: the address is taken or is not ours.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # now, not when the server starts: until then somebody else could take the port too
        listener.listen(2048)
    except OSError as error:
        listener.close()
        way_out = _WAYS_OUT.get(error.errno, "--host takes an address of this machine")
        raise CommandError(
            f"cannot listen on {host}:{port}: {error.strerror}; {way_out}", ExitCode.FAILED, cause=error
        ) from error
    return listener


async def serve(
    application: Callable[[_Scope, _Receive, _Send], Awaitable[None]],
    listener: socket.socket,
    on_started: Callable[[], None],
) -> None:
    """Serve until a signal.

    Raises:
        CommandError: the application could not start.

    """
    watched = KeepsStartError(application)
    config = uvicorn.Config(watched, lifespan="on", log_config=None, access_log=False)
    server = Server(config, on_started)
    errors = logging.getLogger("uvicorn.error")
    quiet = _OnlyWhile(server)
    errors.addFilter(quiet)
    try:
        await server.serve(sockets=[listener])
    except SystemExit:
        # uvicorn's own end when the lifespan fails; the command ends with the error itself
        if watched.error is None:
            raise
    finally:
        errors.removeFilter(quiet)
        listener.close()
    if watched.error is not None:
        raise explained(watched.error, "stop" if server.started else "start") from watched.error


class _OnlyWhile(logging.Filter):
    """Drops what uvicorn logs of a start that failed: the error is told once, by the command."""

    def __init__(self, server: uvicorn.Server) -> None:
        super().__init__()
        self._server = server

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        return self._server.started and record.levelno >= logging.WARNING


def explained(error: Exception, what: str) -> CommandError:
    """Return how the command ends when the application cannot start or stop."""
    if isinstance(error, ConfigurationError):
        return CommandError(str(error), ExitCode.CONFIGURATION, cause=error)
    if isinstance(error, ExternalServiceError):
        return CommandError(str(error), ExitCode.UNREACHABLE, cause=error)
    if isinstance(error, PorticoError):
        return CommandError(f"the application could not {what}: {error}", ExitCode.FAILED, cause=error)
    details = formatted(error, users_part(error) or error.__traceback__)
    return CommandError(f"the application could not {what}\n{details}", ExitCode.FAILED, cause=error)
