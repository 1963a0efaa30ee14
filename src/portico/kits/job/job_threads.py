"""Blocking functions, beside the loop."""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def run_in_thread(function: Callable[[], T], name: str) -> T:
    """Run `function` in a thread of its own; when the caller is cancelled, the thread goes on and is not waited for.

    The thread is a daemon, unlike those of an executor: a function that never returns does not keep a process
    from exiting.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def report(deliver: Callable[[], None]) -> None:
        # the loop is closed once the program is over, and then nobody asks any more
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(deliver)

    threading.Thread(target=_run, args=(context, function, outcome, report), name=name, daemon=True).start()
    return await outcome


def _run(
    context: contextvars.Context,
    function: Callable[[], T],
    outcome: "asyncio.Future[T]",
    report: Callable[[Callable[[], None]], None],
) -> None:
    try:
        value = context.run(function)
    except BaseException as error:  # noqa: BLE001 - whatever ends the thread is the caller's to judge
        problem = error
        report(lambda: _settle(outcome, lambda: outcome.set_exception(_raisable(problem))))
    else:
        report(lambda: _settle(outcome, lambda: outcome.set_result(value)))


def _settle(outcome: "asyncio.Future[T]", deliver: Callable[[], None]) -> None:
    if not outcome.done():
        deliver()


def _raisable(error: BaseException) -> BaseException:
    # a future refuses StopIteration
    return RuntimeError("the function raised StopIteration") if isinstance(error, StopIteration) else error
