"""The shape of a trigger that looks for events itself."""

from abc import abstractmethod
from contextlib import AsyncExitStack
from typing import ClassVar

from typing_extensions import override

from portico.runtime.trigger import BaseTrigger


class PollingTrigger(BaseTrigger):
    """Looks, rests, looks again; a look that fails is counted, and the next one waits a growing while."""

    _loop: ClassVar[str] = "poll"

    @override
    async def _open(self, stack: AsyncExitStack) -> None:
        await super()._open(stack)
        self._supervise(stack, self._loop, self._poll_forever)

    @abstractmethod
    async def _poll(self) -> None:
        """Look once; each event that becomes a job stands in ``with self._work():``."""

    @abstractmethod
    async def _rest(self) -> None:
        """Wait until the next look is due."""

    async def _poll_forever(self) -> None:
        while True:
            await self._poll()
            self._progressed(self._loop)
            self._recovered()
            await self._rest()
