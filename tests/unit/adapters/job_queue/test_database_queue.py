"""What a database URL may say, and where an adapter may be used."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.exceptions import ConfigurationError, ConflictError


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///jobs.db", Path("jobs.db").absolute()),
        ("sqlite:///data/jobs.db", Path("data/jobs.db").absolute()),
        ("sqlite:////var/lib/jobs.db", Path("/var/lib/jobs.db")),
        ("sqlite:///a%20b.db", Path("a%20b.db").absolute()),
    ],
)
def test_a_path_is_read_as_sqlalchemy_reads_it(url: str, path: Path) -> None:
    assert DatabaseJobQueueAdapter(url).store.path == path


def test_building_an_adapter_touches_nothing(tmp_path: Path) -> None:
    DatabaseJobQueueAdapter(f"sqlite:///{tmp_path}/jobs.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite://", "memory://"),
        ("sqlite:///", "memory://"),
        ("sqlite:///:memory:", "memory://"),
        ("sqlite://host/jobs.db", "sqlite:////absolute"),
        ("sqlite:///jobs.db?mode=ro", "a path and nothing else"),
        ("postgresql+psycopg://user:hidden-word@host/db", "supported: sqlite"),
        ("mysql://user:hidden-word@host/db", "supported: sqlite"),
        ("jobs.db", "supported: sqlite"),
        ("user:hidden-word@host", "supported: sqlite"),
    ],
)
def test_any_other_url_is_refused_with_the_way_out_and_without_its_password(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as raised:
        DatabaseJobQueueAdapter(url)
    assert "hidden-word" not in str(raised.value)


@pytest.mark.parametrize(
    "settings",
    [{"lease_seconds": 0}, {"lease_seconds": float("nan")}, {"idempotency_seconds": -1}, {"max_crashes": -1}],
)
def test_settings_that_mean_nothing_are_refused_by_name(settings: dict[str, Any]) -> None:
    [name] = settings
    with pytest.raises(ConfigurationError, match=name):
        DatabaseJobQueueAdapter("sqlite:///jobs.db", **settings)


def test_an_unknown_durability_is_refused() -> None:
    unknown: Any = "full"
    with pytest.raises(ConfigurationError, match="'process' or 'power'"):
        DatabaseJobQueueAdapter("sqlite:///jobs.db", durability=unknown)


def test_windows_gets_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(ConfigurationError, match="Linux and macOS"):
        DatabaseJobQueueAdapter("sqlite:///jobs.db")


def test_a_queue_that_was_opened_in_another_event_loop_says_so(tmp_path: Path) -> None:
    queue = DatabaseJobQueueAdapter(f"sqlite:///{tmp_path}/jobs.db")
    with asyncio.Runner() as first:
        first.run(queue.initialize())
        with pytest.raises(ConflictError, match=r"opened in another event loop: .* within a single asyncio\.run"):
            asyncio.run(queue.get_queue_stats("default"))
        with pytest.raises(ConflictError, match="opened in another event loop"):
            asyncio.run(queue.close())
        first.run(queue.close())
        # one that was closed may be opened anywhere
        asyncio.run(_open_and_close(queue))


async def _open_and_close(queue: DatabaseJobQueueAdapter) -> None:
    await queue.initialize()
    await queue.close()
