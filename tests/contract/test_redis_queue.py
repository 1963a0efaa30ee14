"""The queue on Redis keeps the promises of every queue."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from typing_extensions import override

from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter
from portico.ports.job_limits import JobLimit
from portico.testing import FakeClock
from portico.testing.contracts import JobQueueContract
from portico.testing.contracts.queue_suite.retention import SHORT_RETENTION


class TestRedisQueue(JobQueueContract):
    retention = SHORT_RETENTION

    @pytest.fixture(autouse=True)
    def place(self, redis_url: str, redis_prefix: str) -> None:
        self.url, self.prefix = redis_url, redis_prefix
        self.clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))

    @override
    def make_queue(self) -> RedisJobQueueAdapter:
        return RedisJobQueueAdapter(self.url, prefix=self.prefix, clock=self.clock, retention=SHORT_RETENTION)

    @override
    def make_limited_queue(self, limits: Sequence[JobLimit]) -> RedisJobQueueAdapter:
        return RedisJobQueueAdapter(self.url, prefix=self.prefix, clock=self.clock, limits=limits)

    @override
    def make_second_queue(self) -> RedisJobQueueAdapter:
        return self.make_queue()


class TestRedisQueueOnTheServersClock(JobQueueContract):
    @pytest.fixture(autouse=True)
    def place(self, redis_url: str, redis_prefix: str) -> None:
        self.url, self.prefix = redis_url, redis_prefix

    @override
    def make_queue(self) -> RedisJobQueueAdapter:
        return RedisJobQueueAdapter(self.url, prefix=self.prefix, lease_seconds=0.2)

    @override
    def make_limited_queue(self, limits: Sequence[JobLimit]) -> RedisJobQueueAdapter:
        return RedisJobQueueAdapter(self.url, prefix=self.prefix, lease_seconds=3, limits=limits)

    @override
    def make_second_queue(self) -> RedisJobQueueAdapter:
        return self.make_queue()
