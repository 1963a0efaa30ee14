"""Tracebacks as the user needs them: from the first line of their own code on."""

import traceback
from types import TracebackType

# who calls the user's code when it is imported or started
_CALLERS = frozenset({"contextlib", "fastapi", "importlib", "portico", "starlette", "uvicorn"})


def users_part(error: BaseException) -> TracebackType | None:
    """Return the traceback without what led to the user's code; None where that was not reached."""
    trace = error.__traceback__
    while trace is not None and _module(trace).partition(".")[0] in _CALLERS:
        trace = trace.tb_next
    return trace


def formatted(error: Exception, trace: TracebackType | None) -> str:
    """Return the error with this traceback, as Python prints it."""
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip()


def _module(trace: TracebackType) -> str:
    return str(trace.tb_frame.f_globals.get("__name__", ""))
