"""The queue in memory keeps the promises of every queue."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from typing_extensions import override

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.ports.job_limits import JobLimit
from portico.testing import FakeClock
from portico.testing.contracts import JobQueueContract
from portico.testing.contracts.queue_suite.retention import SHORT_RETENTION


class TestMemoryQueue(JobQueueContract):
    retention = SHORT_RETENTION

    @pytest.fixture(autouse=True)
    def time(self) -> None:
        self.clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))

    @override
    def make_queue(self) -> MemoryJobQueueAdapter:
        return MemoryJobQueueAdapter(clock=self.clock, retention=SHORT_RETENTION)

    @override
    def make_limited_queue(self, limits: Sequence[JobLimit]) -> MemoryJobQueueAdapter:
        return MemoryJobQueueAdapter(clock=self.clock, limits=limits)


class TestMemoryQueueOnTheSystemClock(JobQueueContract):
    @override
    def make_queue(self) -> MemoryJobQueueAdapter:
        return MemoryJobQueueAdapter(lease_seconds=0.2)

    @override
    def make_limited_queue(self, limits: Sequence[JobLimit]) -> MemoryJobQueueAdapter:
        return MemoryJobQueueAdapter(limits=limits)
