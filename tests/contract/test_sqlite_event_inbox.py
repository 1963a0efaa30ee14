"""The inbox in an SQLite file keeps the promises of every inbox."""

from pathlib import Path

import pytest
from typing_extensions import override

from portico.adapters.store.sqlite.event_inbox import SqliteEventInbox
from portico.adapters.store.sqlite.store import SqliteStore
from portico.testing.contracts import EventInboxContract


class TestSqliteEventInbox(EventInboxContract):
    @pytest.fixture(autouse=True)
    def file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "events.db"

    @override
    def make_inbox(self) -> SqliteEventInbox:
        return SqliteEventInbox(SqliteStore(self.path))
