"""``portico run``."""

import asyncio
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import FastAPI

from portico.cli.banner import banner
from portico.cli.exits import CommandError, ExitCode
from portico.cli.loading import load_application
from portico.cli.server import bind, serve
from portico.compose import Jobs
from portico.utils.logging import configure_logging, get_logger

logger = get_logger(__name__)

_LOG_FORMATS = {"auto": None, "console": False, "json": True}
_LARGEST_PORT = 65_535
_LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The arguments of ``portico run``."""

    target: str
    host: str
    port: int
    log_level: str
    log_format: str

    def __post_init__(self) -> None:
        if not self.host:
            # a variable of the environment that is set to nothing must not open the process to every network
            raise CommandError("--host must not be empty; 0.0.0.0 is every address of this machine", ExitCode.USAGE)
        if not 0 <= self.port <= _LARGEST_PORT:
            raise CommandError(f"--port must be from 0 to {_LARGEST_PORT}, not {self.port}", ExitCode.USAGE)


def run_application(options: RunOptions) -> None:
    """Load, serve, drain.

    Raises:
        CommandError: something about the arguments or the application is wrong.

    """
    configure_log(options.log_level, options.log_format)
    application = load_application(options.target)
    served = application.served
    if isinstance(served, Jobs):
        served = FastAPI(title=options.target, lifespan=served.lifespan)
    if isinstance(served, type) or not callable(served):
        raise CommandError(
            f"{options.target} serves {_kind(served)}, which is no application: FastAPI(...) and compose.jobs(...) "
            "make one",
            ExitCode.NO_APPLICATION,
        )
    asyncio.run(_serve(served, application.jobs, options))


def _kind(served: object) -> str:
    if isinstance(served, type):
        return f"the class {served.__name__}"
    return f"an object of the type {type(served).__name__}"


async def _serve(served: Any, jobs: Jobs | None, options: RunOptions) -> None:
    listener = bind(options.host, options.port)
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    await serve(served, listener, partial(_say, options.target, address, jobs))


def _say(target: str, address: str, jobs: Jobs | None) -> None:
    sys.stdout.write(banner(target, address, jobs))
    sys.stdout.flush()
    if jobs is not None and not jobs.is_running and (jobs.has_workers or jobs.triggers):
        logger.warning("jobs_not_started", hint="the application does not start them: FastAPI(lifespan=jobs.lifespan)")


def configure_log(level: str, log_format: str) -> None:
    """Set logging up as a command was told.

    Raises:
        CommandError: there is no such level or format.

    """
    if log_format not in _LOG_FORMATS:
        raise CommandError(f"--log-format must be one of {', '.join(_LOG_FORMATS)}", ExitCode.USAGE)
    if level not in _LOG_LEVELS:
        raise CommandError(f"--log-level must be one of {', '.join(_LOG_LEVELS)}", ExitCode.USAGE)
    configure_logging(level, json=_LOG_FORMATS[log_format])
