"""The thread that brings the log to the disk."""

from pathlib import Path

import pytest

from portico.adapters.store.sqlite.wal_sync import WalSync


def test_a_stop_just_when_a_sync_begins_is_not_overheard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = WalSync(tmp_path / "jobs.db-wal")

    def stopped_too_late_to_be_seen(timeout: float) -> bool:
        sync._stopped.set()
        sync._requested.set()
        return False

    monkeypatch.setattr(sync._stopped, "wait", stopped_too_late_to_be_seen)
    sync.start()
    sync.request()
    assert sync._thread is not None
    sync._thread.join(5)
    assert not sync._thread.is_alive()
