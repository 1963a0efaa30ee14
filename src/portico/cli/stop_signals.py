"""SIGINT and SIGTERM: the first drains, the second forces."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Self

from portico.cli.exits import CommandError, ExitCode
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _end_at_once() -> None:
    os._exit(ExitCode.FORCED)


class StopSignals:
    """While entered, takes the signals of this process.

    Args:
        force: what the second one does, by default the end of the process.
        drain: what the first one does beside waking those who `wait`.

    """

    def __init__(self, force: Callable[[], None] = _end_at_once, drain: Callable[[], None] = lambda: None) -> None:
        self._force = force
        self._drain = drain
        self._stop = asyncio.Event()

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        try:
            for number in _SIGNALS:
                self._loop.add_signal_handler(number, self._on_signal, number)
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
        self._stop.set()

    async def wait(self) -> None:
        """Return when the end begins."""
        await self._stop.wait()

    def _on_signal(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            logger.warning("forced_to_end", signal=number.name, hint="what was running starts again next time")
            self._force()
            return
        logger.info("draining", signal=number.name, hint="once more to force")
        self._stop.set()
        self._drain()
