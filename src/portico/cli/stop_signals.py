"""SIGINT and SIGTERM: the first drains, a later one forces."""

import asyncio
import math
import os
import signal
from collections.abc import Callable
from typing import Self

from portico.cli.exits import CommandError, ExitCode
from portico.ports.clock import Clock
from portico.runtime.clock import SystemClock
from portico.utils.logging import get_logger

logger = get_logger(__name__)

SAME_REQUEST_SECONDS = 0.3
"""Wrappers (`timeout`, `npm`, `make`) pass on a Ctrl-C that the process has heard too; nobody presses it so fast."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _end_at_once() -> None:
    os._exit(ExitCode.FORCED)


class StopSignals:
    """While entered, takes the signals of this process.

    Args:
        force: what a signal does once the end has begun, by default the end of the process.
        drain: what the first one does beside waking those who `wait`.
        clock: tells a later signal from the same one delivered again.

    """

    def __init__(
        self,
        force: Callable[[], None] = _end_at_once,
        drain: Callable[[], None] = lambda: None,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._force = force
        self._drain = drain
        self._clock = clock or SystemClock()
        self._stop = asyncio.Event()
        self._forces_from = math.inf

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        try:
            for number in _SIGNALS:
                self._loop.add_signal_handler(number, self._on_signal, number)
                # the loop is woken as before, and this is called also while a handler holds the loop up
                signal.signal(number, self._on_arrival)
        except NotImplementedError as error:
            raise CommandError("this command needs the signals of Linux or macOS", ExitCode.FAILED) from error
        return self

    def __exit__(self, *_: object) -> None:
        for number in _SIGNALS:
            self._loop.remove_signal_handler(number)

    def has_begun(self) -> bool:
        """Whether the end has begun."""
        return self._stop.is_set()

    def begin(self) -> None:
        """Begin the end, for another reason than a signal."""
        self._note_request()
        self._stop.set()

    async def wait(self) -> None:
        """Return when the end begins."""
        await self._stop.wait()

    def _on_signal(self, number: signal.Signals) -> None:
        if not self._stop.is_set():
            logger.info("draining", signal=number.name, hint="once more to force")
            self.begin()
            self._drain()

    def _on_arrival(self, number: int, _frame: object) -> None:
        if self._clock.monotonic() < self._forces_from:
            self._note_request()
            return
        try:
            logger.warning(
                "forced_to_end", signal=signal.Signals(number).name, hint="what was running starts again next time"
            )
        finally:
            # also when the signal came in the middle of another line, which refuses a second one
            self._force()

    def _note_request(self) -> None:
        self._forces_from = min(self._forces_from, self._clock.monotonic() + SAME_REQUEST_SECONDS)
