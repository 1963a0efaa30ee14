"""Whether jobs could be created now."""

import asyncio
from uuid import UUID

from portico.ports.clock import Clock
from portico.runtime.service import describe
from portico.runtime.trigger import BaseTrigger
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_TIMEOUT_SECONDS = 1.0
_KEPT_SECONDS = 1.0
_NO_JOB = UUID(int=0)


class Readiness:
    """Asks the store of a trigger's creator whether it answers, once a second however many want to know."""

    def __init__(self, trigger: BaseTrigger, clock: Clock) -> None:
        self._trigger = trigger
        self._clock = clock
        self._asking = asyncio.Lock()
        self._is_ready = False
        self._known_until = float("-inf")

    async def is_ready(self) -> bool:
        """Tell whether the store answers within a second."""
        async with self._asking:
            if self._clock.monotonic() >= self._known_until:
                self._is_ready = await self._ask()
                self._known_until = self._clock.monotonic() + _KEPT_SECONDS
            return self._is_ready

    async def _ask(self) -> bool:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                # a job that cannot be: the question alone reaches the store
                await self._trigger.job_creator.get_job(_NO_JOB)
        except Exception as error:  # noqa: BLE001 - whatever a store raises, it is not ready
            logger.warning("webhook_store_unavailable", trigger=self._trigger.name, error=describe(error))
            return False
        return True
