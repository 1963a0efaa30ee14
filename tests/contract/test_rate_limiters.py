"""Rate limiters keep the promises of every rate limiter, wherever they count."""

from pathlib import Path

import pytest
from typing_extensions import override

from portico.adapters.store.memory.rate_limiter import MemoryRateLimiter
from portico.adapters.store.postgres.rate_limiter import PostgresRateLimiter
from portico.adapters.store.postgres.store import PostgresStore
from portico.adapters.store.redis.rate_limiter import RedisRateLimiter
from portico.adapters.store.redis.store import RedisStore
from portico.adapters.store.sqlite.rate_limiter import SqliteRateLimiter
from portico.adapters.store.sqlite.store import SqliteStore
from portico.testing.contracts import RateLimiterContract, SharedRateLimiterContract


class TestMemoryRateLimiter(RateLimiterContract):
    @override
    def make_limiter(self) -> MemoryRateLimiter:
        return MemoryRateLimiter(clock=self.clock)


class TestSqliteRateLimiter(SharedRateLimiterContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "limits.db"

    @override
    def make_limiter(self) -> SqliteRateLimiter:
        return SqliteRateLimiter(SqliteStore(self.path), clock=self.clock)


class TestPostgresRateLimiter(SharedRateLimiterContract):
    @pytest.fixture(autouse=True)
    def database(self, postgres_url: str, postgres_schema: str) -> None:
        self.url, self.schema = postgres_url, postgres_schema

    @override
    def make_limiter(self) -> PostgresRateLimiter:
        return PostgresRateLimiter(PostgresStore(self.url, schema=self.schema, clock=self.clock))


class TestRedisRateLimiter(SharedRateLimiterContract):
    @pytest.fixture(autouse=True)
    def server(self, redis_url: str, redis_prefix: str) -> None:
        self.url, self.prefix = redis_url, redis_prefix

    @override
    def make_limiter(self) -> RedisRateLimiter:
        return RedisRateLimiter(RedisStore(self.url, prefix=self.prefix, clock=self.clock))
