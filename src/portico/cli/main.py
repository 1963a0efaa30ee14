"""The commands, and how each kind of failure ends."""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from portico import __version__
from portico.cli.exits import CommandError

application = App(
    name="portico",
    version=__version__,
    help="Events become durable jobs, exactly one per event; this runs them.",
)


def main() -> None:
    """Run the command that the arguments name; exits with 0, or with what `portico.cli.exits` says."""
    try:
        application()
    except CommandError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)


@application.command
def run(
    target: str,
    *,
    host: Annotated[str, Parameter(env_var="PORTICO_HOST")] = "127.0.0.1",
    port: Annotated[int, Parameter(env_var="PORTICO_PORT")] = 7070,
    log_level: Annotated[str, Parameter(env_var="PORTICO_LOG_LEVEL")] = "info",
    log_format: Annotated[str, Parameter(env_var="PORTICO_LOG_FORMAT")] = "auto",
) -> None:
    """Serve an application: its HTTP routes, its triggers and its workers, in one process.

    Ctrl-C or SIGTERM drains: no new events, running jobs finish, exit code 0. A later one forces the end; what was
    running is picked up by the next start.

    Args:
        target: a file (``path/to/app.py``) or a module and attribute (``shop.app:jobs``). The file's ``app`` is
            served, else its ``jobs``, else what ``compose.jobs(...)`` made under another name.
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.
        log_level: debug, info, warning or error.
        log_format: console, json, or auto: console on a terminal.

    """
    # uvicorn and the user's code are loaded for the one command that needs them
    from portico.cli.run import RunOptions, run_application  # noqa: PLC0415 - see above

    run_application(RunOptions(target=target, host=host, port=port, log_level=log_level, log_format=log_format))


@application.command
def worker(
    target: str,
    *,
    queues: str | None = None,
    concurrency: Annotated[int | None, Parameter(env_var="PORTICO_CONCURRENCY")] = None,
    processes: Annotated[int | None, Parameter(env_var="PORTICO_PROCESSES")] = None,
    log_level: Annotated[str, Parameter(env_var="PORTICO_LOG_LEVEL")] = "info",
    log_format: Annotated[str, Parameter(env_var="PORTICO_LOG_FORMAT")] = "auto",
) -> None:
    """Run the workers of an application and nothing else: no HTTP, no triggers.

    Ctrl-C or SIGTERM drains, a later one forces. With several processes a supervisor starts each that dies again.

    Args:
        target: as for ``portico run``; what holds the application's ``compose.jobs(...)``.
        queues: what to serve, separated by commas, the first before the others; by default what the application says.
        concurrency: how many jobs run at once in each process; by default what the application says.
        processes: how many processes; by default the application's ``worker_options={"processes": ...}``, or one.
        log_level: debug, info, warning or error.
        log_format: console, json, or auto: console on a terminal.

    """
    from portico.cli.worker import WorkerOptions, work  # noqa: PLC0415 - see `run`

    work(
        WorkerOptions(
            target=target,
            queues=queues,
            concurrency=concurrency,
            processes=processes,
            log_level=log_level,
            log_format=log_format,
        )
    )
