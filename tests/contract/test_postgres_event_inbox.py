"""The inbox in PostgreSQL keeps the promises of every inbox."""

import pytest
from typing_extensions import override

from portico.adapters.store.postgres.event_inbox import PostgresEventInbox
from portico.adapters.store.postgres.store import PostgresStore
from portico.testing.contracts import EventInboxContract


class TestPostgresEventInbox(EventInboxContract):
    @pytest.fixture(autouse=True)
    def database(self, postgres_url: str, postgres_schema: str) -> None:
        self.url, self.schema = postgres_url, postgres_schema

    @override
    def make_inbox(self) -> PostgresEventInbox:
        return PostgresEventInbox(PostgresStore(self.url, schema=self.schema))
