"""The queue in an SQLite file keeps the promises of every queue."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typing_extensions import override

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.ports.job_limits import JobLimit
from portico.testing import FakeClock
from portico.testing.contracts import JobQueueContract
from portico.testing.contracts.queue_suite.retention import SHORT_RETENTION


class TestSqliteQueue(JobQueueContract):
    retention = SHORT_RETENTION

    @pytest.fixture(autouse=True)
    def file(self, tmp_path: Path) -> None:
        self.url = f"sqlite:///{tmp_path}/jobs.db"
        self.clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))

    @override
    def make_queue(self) -> DatabaseJobQueueAdapter:
        return DatabaseJobQueueAdapter(self.url, clock=self.clock, retention=SHORT_RETENTION)

    @override
    def make_second_queue(self) -> DatabaseJobQueueAdapter:
        return self.make_queue()

    @override
    def make_limited_queue(self, limits: Sequence[JobLimit]) -> DatabaseJobQueueAdapter:
        return DatabaseJobQueueAdapter(self.url, clock=self.clock, limits=limits)


class TestSqliteQueueOnTheSystemClock(JobQueueContract):
    @pytest.fixture(autouse=True)
    def file(self, tmp_path: Path) -> None:
        self.url = f"sqlite:///{tmp_path}/jobs.db"

    @override
    def make_queue(self) -> DatabaseJobQueueAdapter:
        return DatabaseJobQueueAdapter(self.url, lease_seconds=0.2, durability="power")

    @override
    def make_second_queue(self) -> DatabaseJobQueueAdapter:
        return self.make_queue()

    @override
    def make_limited_queue(self, limits: Sequence[JobLimit]) -> DatabaseJobQueueAdapter:
        return DatabaseJobQueueAdapter(self.url, lease_seconds=3, durability="power", limits=limits)
