"""The queue in PostgreSQL keeps the promises of every queue."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from typing_extensions import override

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.ports.job_limits import JobLimit
from portico.testing import FakeClock
from portico.testing.contracts import JobQueueContract
from portico.testing.contracts.queue_suite.retention import SHORT_RETENTION


class TestPostgresQueue(JobQueueContract):
    retention = SHORT_RETENTION

    @pytest.fixture(autouse=True)
    def database(self, postgres_url: str, postgres_schema: str) -> None:
        self.url, self.schema = postgres_url, postgres_schema
        self.clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))

    @override
    def make_queue(self) -> DatabaseJobQueueAdapter:
        return self.make_limited_queue(())

    @override
    def make_limited_queue(self, limits: Sequence[JobLimit]) -> DatabaseJobQueueAdapter:
        return DatabaseJobQueueAdapter(
            self.url, schema=self.schema, clock=self.clock, retention=SHORT_RETENTION, limits=limits
        )

    @override
    def make_second_queue(self) -> DatabaseJobQueueAdapter:
        return self.make_queue()


class TestPostgresQueueOnTheServersClock(JobQueueContract):
    @pytest.fixture(autouse=True)
    def database(self, postgres_url: str, postgres_schema: str) -> None:
        self.url, self.schema = postgres_url, postgres_schema

    @override
    def make_queue(self) -> DatabaseJobQueueAdapter:
        return DatabaseJobQueueAdapter(
            self.url, schema=self.schema, lease_seconds=0.6, durability="process", pool_size=2
        )

    @override
    def make_limited_queue(self, limits: Sequence[JobLimit]) -> DatabaseJobQueueAdapter:
        # a lease that ended while others still claim would let more of them run
        return DatabaseJobQueueAdapter(
            self.url, schema=self.schema, lease_seconds=3, durability="process", pool_size=2, limits=limits
        )

    @override
    def make_second_queue(self) -> DatabaseJobQueueAdapter:
        return self.make_queue()
