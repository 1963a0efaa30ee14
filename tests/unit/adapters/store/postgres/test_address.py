"""What a PostgreSQL URL may say, and what is shown of it."""

import sys

import pytest

from portico.adapters.store.postgres.address import Address, checked_schema
from portico.adapters.store.postgres.store import PostgresStore
from portico.exceptions import ConfigurationError, MissingExtraError


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:hidden-word@db.example.org:6432/shop", "PostgreSQL at db.example.org:6432, database shop"),
        ("postgres://user:hidden-word@[::1]:5432/shop", "PostgreSQL at [::1]:5432, database shop"),
        ("postgresql+asyncpg://user:hidden@word@db/shop", "PostgreSQL at db, database shop"),
        ("postgresql://db/shop?user=me&password=hidden-word", "PostgreSQL at db, database shop"),
        ("postgresql://db?password=hidden-word", "PostgreSQL at db, database of the user"),
        # not percent-encoded as they should be
        ("postgresql://user:hidden/word@db/shop", "PostgreSQL at db, database shop"),
        ("postgresql://user:hidden?word@db/shop", "PostgreSQL at the host in the URL"),
        ("postgresql://db/shop?password=hidden@word", "PostgreSQL at the host in the URL"),
        ("postgresql://user:hidden#word@db/shop", "PostgreSQL at db, database shop"),
        ("postgresql://user:hidden-word", "PostgreSQL at the host in the URL"),
        ("postgresql://one:5432,two:5433/shop", "PostgreSQL at one:5432,two:5433, database shop"),
        ("postgresql:///shop", "PostgreSQL at the default host, database shop"),
    ],
)
def test_no_secret_of_a_url_is_shown(url: str, shown: str) -> None:
    address = Address.parse(url)
    assert address.shown == shown
    assert "hidden" not in repr(address)
    assert "word" not in repr(address)
    assert address.url.startswith("postgresql://")


@pytest.mark.parametrize("url", ["mysql://user:hidden-word@db/shop", "user:hidden-word@db", "postgresql:db", ""])
def test_any_other_url_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"looks like postgresql://") as raised:
        Address.parse(url)
    assert "hidden-word" not in str(raised.value)


@pytest.mark.parametrize("name", ["portico", "_p", "a" * 48, "jobs_2"])
def test_a_schema_that_needs_no_quotes_is_taken(name: str) -> None:
    assert checked_schema(name) == name


@pytest.mark.parametrize(
    "name", ["", "Portico", "2jobs", "a b", "a;DROP TABLE x", 'a"b', "a" * 49, "pg_temp", "jöbs", "portico\n"]
)
def test_any_other_schema_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="schema must be"):
        checked_schema(name)


@pytest.mark.parametrize("options", [{"durability": "maybe"}, {"pool_size": 0}, {"listen_url": "redis://db"}])
def test_options_that_mean_nothing_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        PostgresStore("postgresql://db/shop", **options)  # type: ignore[arg-type] # - wrong on purpose


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(MissingExtraError, match=r"portico-jobs\[postgres\]"):
        PostgresStore("postgresql://db/shop")


def test_a_store_shows_no_password() -> None:
    store = PostgresStore("postgresql://user:hidden-word@db/shop", listen_url="postgresql://user:hidden-word@db2/shop")
    assert repr(store) == "PostgresStore(PostgreSQL at db, database shop, schema portico)"
    assert "hidden-word" not in str(vars(store))
