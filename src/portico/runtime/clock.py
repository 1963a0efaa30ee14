"""The clock of the machine."""

import asyncio
import time
from datetime import UTC, datetime

from typing_extensions import override

from portico.ports.clock import Clock


class SystemClock(Clock):
    """The wall clock, the monotonic clock and asyncio's sleep."""

    @override
    def now(self) -> datetime:
        return datetime.now(UTC)

    @override
    def monotonic(self) -> float:
        return time.monotonic()

    @override
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
