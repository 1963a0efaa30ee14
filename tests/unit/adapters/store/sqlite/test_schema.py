"""Versions of the tables."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.adapters.store.sqlite.schema import APPLICATION_ID, migrate
from portico.adapters.store.sqlite.statements import migrations
from portico.exceptions import ConfigurationError

PATH = Path("jobs.db")
FIRST = "CREATE TABLE portico_first (a);"
SECOND = "ALTER TABLE portico_first ADD COLUMN b;"


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    yield connection
    connection.close()


def version(connection: sqlite3.Connection) -> tuple[int, int]:
    [[application]] = connection.execute("PRAGMA application_id").fetchall()
    [[number]] = connection.execute("PRAGMA user_version").fetchall()
    return application, number


def columns(connection: sqlite3.Connection) -> list[str]:
    return [row[1] for row in connection.execute("PRAGMA table_info(portico_first)")]


def test_an_empty_file_gets_the_newest_schema(connection: sqlite3.Connection) -> None:
    migrate(connection, PATH, [FIRST, SECOND])
    assert (version(connection), columns(connection)) == ((APPLICATION_ID, 2), ["a", "b"])


def test_an_older_file_gets_only_what_it_lacks(connection: sqlite3.Connection) -> None:
    migrate(connection, PATH, [FIRST])
    connection.execute("INSERT INTO portico_first VALUES (1)")
    migrate(connection, PATH, [FIRST, SECOND])
    assert connection.execute("SELECT * FROM portico_first").fetchall() == [(1, None)]


def test_a_step_that_fails_leaves_nothing_of_itself(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, PATH, [FIRST, SECOND + "\nCREATE NONSENSE;"])
    assert (version(connection), columns(connection)) == ((APPLICATION_ID, 1), ["a"])
    assert not connection.in_transaction


def test_a_newer_file_is_not_touched(connection: sqlite3.Connection) -> None:
    migrate(connection, PATH, [FIRST, SECOND])
    with pytest.raises(ConfigurationError, match="its schema is 2, this one knows 1"):
        migrate(connection, PATH, [FIRST])


def test_the_tables_of_the_package_are_all_its_own_by_name(connection: sqlite3.Connection) -> None:
    migrate(connection, PATH, migrations())
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")]
    assert names
    assert all(name.startswith("portico_") for name in names)
