"""The trigger store in PostgreSQL keeps the promises of every trigger store."""

from datetime import UTC, datetime

import pytest
from typing_extensions import override

from portico.adapters.store.postgres.store import PostgresStore
from portico.adapters.store.postgres.trigger_store import PostgresTriggerStore
from portico.testing import FakeClock
from portico.testing.contracts import TriggerStoreContract


class TestPostgresTriggerStore(TriggerStoreContract):
    @pytest.fixture(autouse=True)
    def database(self, postgres_url: str, postgres_schema: str) -> None:
        self.url, self.schema = postgres_url, postgres_schema
        self.clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))

    @override
    def make_store(self) -> PostgresTriggerStore:
        return PostgresTriggerStore(PostgresStore(self.url, schema=self.schema, clock=self.clock))


class TestPostgresTriggerStoreOnTheServersClock(TriggerStoreContract):
    @pytest.fixture(autouse=True)
    def database(self, postgres_url: str, postgres_schema: str) -> None:
        self.url, self.schema = postgres_url, postgres_schema

    @override
    def make_store(self) -> PostgresTriggerStore:
        return PostgresTriggerStore(PostgresStore(self.url, schema=self.schema))
