"""What errors of PostgreSQL become, and what may be done about them."""

import asyncpg
import pytest

from portico.adapters.store.postgres.failures import (
    ConnectionLostError,
    Fate,
    explained,
    explained_opening,
    fate_of,
    unreachable,
)
from portico.exceptions import ConfigurationError, DatabaseError, ValidationError

SHOWN = "PostgreSQL at db, database shop"


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (asyncpg.exceptions.DeadlockDetectedError("deadlock"), Fate.ROLLED_BACK),
        (asyncpg.exceptions.SerializationError("try again"), Fate.ROLLED_BACK),
        (asyncpg.exceptions.ConnectionDoesNotExistError("closed"), Fate.UNKNOWN),
        (asyncpg.exceptions.AdminShutdownError("shutdown"), Fate.UNKNOWN),
        (asyncpg.exceptions.InterfaceError("connection is closed"), Fate.UNKNOWN),  # type: ignore[no-untyped-call] # - so
        (ConnectionResetError(), Fate.UNKNOWN),
        (TimeoutError(), Fate.UNKNOWN),
        (asyncpg.exceptions.DiskFullError("full"), Fate.REFUSED),
        (asyncpg.exceptions.UniqueViolationError("twice"), Fate.REFUSED),
        (ValueError("a bug"), Fate.REFUSED),
    ],
)
def test_only_what_surely_did_not_happen_counts_as_rolled_back(error: Exception, fate: Fate) -> None:
    assert fate_of(error) is fate


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (asyncpg.exceptions.DiskFullError("could not extend"), DatabaseError, "disk is full: make room"),
        (asyncpg.exceptions.UndefinedTableError("no table"), DatabaseError, "open the queue anew"),
        (asyncpg.exceptions.ConnectionDoesNotExistError("closed"), ConnectionLostError, "closed"),
        (asyncpg.exceptions.CharacterNotInRepertoireError("0x00"), ValidationError, "NUL"),
        (asyncpg.exceptions.ProgramLimitExceededError("index row size"), ValidationError, "too long"),
        (asyncpg.exceptions.DataError("invalid input for $1: 'hidden-word'"), ValidationError, "DataError"),
    ],
)
def test_an_error_says_where_and_the_way_out_but_no_value(error: Exception, kind: type[Exception], says: str) -> None:
    told = explained(error, SHOWN)
    assert type(told) is kind
    assert SHOWN in str(told)
    assert says in str(told)
    assert "hidden-word" not in f"{told!r} {told.__cause__!r}"


def test_details_of_the_servers_message_are_not_passed_on() -> None:
    error = asyncpg.exceptions.UniqueViolationError("duplicate key\nDETAIL: Key (id)=(hidden-word)")
    assert "hidden-word" not in str(explained(error, SHOWN))


def test_a_mistake_in_our_own_code_stays_what_it_is() -> None:
    error = ZeroDivisionError()
    assert explained(error, SHOWN) is error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asyncpg.exceptions.InvalidPasswordError("no"), ConfigurationError),
        (asyncpg.exceptions.InvalidCatalogNameError("no"), ConfigurationError),
        (asyncpg.exceptions.InsufficientPrivilegeError("no"), ConfigurationError),
        (asyncpg.exceptions.TooManyConnectionsError("no"), DatabaseError),
        (asyncpg.exceptions.CannotConnectNowError("starting up"), DatabaseError),
        (ConnectionRefusedError(111, "Connection refused"), DatabaseError),
    ],
)
def test_while_opening_what_another_configuration_mends_is_one_of_it(error: Exception, kind: type[Exception]) -> None:
    assert type(explained_opening(error, SHOWN)) is kind


def test_a_server_that_is_not_there_is_asked_after() -> None:
    told = unreachable(ConnectionRefusedError(111, "Connection refused"), SHOWN)
    assert str(told) == f"{SHOWN}: does not answer (Connection refused): is it running, and are host and port right?"
