"""The trigger store on Redis keeps the promises of every trigger store."""

from datetime import UTC, datetime

import pytest
from typing_extensions import override

from portico.adapters.store.redis.store import RedisStore
from portico.adapters.store.redis.trigger_store import RedisTriggerStore
from portico.testing import FakeClock
from portico.testing.contracts import TriggerStoreContract


class TestRedisTriggerStore(TriggerStoreContract):
    @pytest.fixture(autouse=True)
    def place(self, redis_url: str, redis_prefix: str) -> None:
        self.url, self.prefix = redis_url, redis_prefix
        self.clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))

    @override
    def make_store(self) -> RedisTriggerStore:
        return RedisTriggerStore(RedisStore(self.url, prefix=self.prefix, clock=self.clock))


class TestRedisTriggerStoreOnTheServersClock(TriggerStoreContract):
    @pytest.fixture(autouse=True)
    def place(self, redis_url: str, redis_prefix: str) -> None:
        self.url, self.prefix = redis_url, redis_prefix

    @override
    def make_store(self) -> RedisTriggerStore:
        return RedisTriggerStore(RedisStore(self.url, prefix=self.prefix))
