"""The inbox on Redis keeps the promises of every inbox."""

import pytest
from typing_extensions import override

from portico.adapters.store.redis.event_inbox import RedisEventInbox
from portico.adapters.store.redis.store import RedisStore
from portico.testing.contracts import EventInboxContract


class TestRedisEventInbox(EventInboxContract):
    @pytest.fixture(autouse=True)
    def place(self, redis_url: str, redis_prefix: str) -> None:
        self.url, self.prefix = redis_url, redis_prefix

    @override
    def make_inbox(self) -> RedisEventInbox:
        return RedisEventInbox(RedisStore(self.url, prefix=self.prefix))
