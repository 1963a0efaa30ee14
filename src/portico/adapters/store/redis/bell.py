"""Hearing what other processes put into the queues."""

import asyncio
from typing import Any

from portico.adapters.ready_signals import ReadySignals
from portico.adapters.store.redis.store import RedisStore
from portico.adapters.store.redis.wire import Wire
from portico.exceptions import PorticoError
from portico.runtime.backoff import Backoff
from portico.utils.logging import get_logger

# the net under the bell: so late is a job claimed whose bell nobody heard
_LOOK_SECONDS = 2.0
_BACKOFF = Backoff(base_seconds=0.05, cap_seconds=1.0)

logger = get_logger(__name__)


class Bell:
    """Rings the signals of this process when a function says that a queue has news."""

    def __init__(self, store: RedisStore, signals: ReadySignals) -> None:
        self._store = store
        self._signals = signals
        self.is_heard = False
        """True while no news can be missed."""

    async def listen(self) -> None:
        """Listen from the first time that somebody waits, until cancelled; what cannot be heard is looked for."""
        failures = 0
        while True:
            await self._signals.somebody_waits()
            try:
                await self._hear()
            except (PorticoError, ConnectionResetError) as error:
                failures += 1
                if failures == 1:
                    logger.warning("queue_bell_lost", error=str(error))
            else:
                failures = 0
            # the real clock: what other processes do does not wait for a test's
            await asyncio.sleep(_BACKOFF.delay_seconds(max(failures, 1)))
            self._signals.ring_all()

    async def _hear(self) -> None:
        """Return when the connection is lost."""
        wire = await self._store.new_wire(self._on_message)
        try:
            await wire.call("SUBSCRIBE", self._store.key("bell"))
            self.is_heard = True
            # between a claim that found nothing and this moment there may have been news
            self._signals.ring_all()
            await self._keep(wire)
        finally:
            self.is_heard = False
            await wire.close()

    async def _keep(self, wire: Wire) -> None:
        while not await wire.until_lost(_LOOK_SECONDS):
            # an answer that stays out ends the wire: a connection can be dead without anybody telling
            wire.call("PING").add_done_callback(_forget)
            self._signals.ring_all()

    def _on_message(self, queue_name: bytes) -> None:
        self._signals.ring([queue_name.decode()])


def _forget(answer: asyncio.Future[Any]) -> None:
    if not answer.cancelled():
        answer.exception()
