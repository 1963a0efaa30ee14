"""What a child process is told by its parent, and how it runs."""

import asyncio
import os
from collections.abc import Coroutine
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

URL = "PORTICO_BENCH_URL"
MARKS = "PORTICO_BENCH_MARKS"
VARIANT = "PORTICO_BENCH_VARIANT"

_FAST_LOOP = "uvloop"
Result = TypeVar("Result")


def url() -> str:
    """Where the store is."""
    return os.environ[URL]


def variant() -> str:
    """Which way of the contender is asked for; empty for its own."""
    return os.environ.get(VARIANT, "")


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run on uvloop where it is installed."""
    if installed(_FAST_LOOP) is None:
        return asyncio.run(main)
    result: Result = import_module(_FAST_LOOP).run(main)
    return result


def loop_name() -> str:
    """Name the event loop that `run` takes."""
    version_of_fast = installed(_FAST_LOOP)
    return f"{_FAST_LOOP} {version_of_fast}" if version_of_fast else f"asyncio's loop ({_FAST_LOOP} is not installed)"


def installed(distribution: str) -> str | None:
    """Return the version of an installed distribution."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
