"""The trigger store in an SQLite file keeps the promises of every trigger store."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typing_extensions import override

from portico.adapters.store.sqlite.store import SqliteStore
from portico.adapters.store.sqlite.trigger_store import SqliteTriggerStore
from portico.testing import FakeClock
from portico.testing.contracts import TriggerStoreContract


class TestSqliteTriggerStore(TriggerStoreContract):
    @pytest.fixture(autouse=True)
    def time(self, tmp_path: Path) -> None:
        self.clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))
        self.path = tmp_path / "triggers.db"

    @override
    def make_store(self) -> SqliteTriggerStore:
        return SqliteTriggerStore(SqliteStore(self.path), clock=self.clock)
