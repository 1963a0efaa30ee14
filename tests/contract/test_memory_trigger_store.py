"""The trigger store in memory keeps the promises of every trigger store."""

from datetime import UTC, datetime

import pytest
from typing_extensions import override

from portico.runtime.memory_state import MemoryTriggerStore
from portico.testing import FakeClock
from portico.testing.contracts import TriggerStoreContract


class TestMemoryTriggerStore(TriggerStoreContract):
    @pytest.fixture(autouse=True)
    def time(self) -> None:
        self.clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))

    @override
    def make_store(self) -> MemoryTriggerStore:
        return MemoryTriggerStore(clock=self.clock)
