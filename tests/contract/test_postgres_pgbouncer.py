"""The queue in PostgreSQL keeps its promises through PgBouncer in transaction mode, where nothing is told to it."""

from collections.abc import Sequence

import pytest
from typing_extensions import override

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.ports.job_limits import JobLimit
from portico.testing.contracts import JobQueueContract


class TestPostgresQueueThroughPgBouncer(JobQueueContract):
    @pytest.fixture(autouse=True)
    def database(self, pgbouncer_url: str, postgres_schema: str) -> None:
        self.url, self.schema = pgbouncer_url, postgres_schema

    @override
    def make_queue(self) -> DatabaseJobQueueAdapter:
        return DatabaseJobQueueAdapter(self.url, schema=self.schema, lease_seconds=0.6)

    @override
    def make_limited_queue(self, limits: Sequence[JobLimit]) -> DatabaseJobQueueAdapter:
        # a lease that ended while others still claim would let more of them run
        return DatabaseJobQueueAdapter(self.url, schema=self.schema, lease_seconds=3, limits=limits)

    @override
    def make_second_queue(self) -> DatabaseJobQueueAdapter:
        return self.make_queue()
