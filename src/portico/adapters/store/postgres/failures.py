"""What PostgreSQL's and the driver's errors mean to whoever has to do something about them."""

from enum import Enum, auto

from portico.exceptions import ConfigurationError, DatabaseError, PorticoError, ValidationError

UNIQUE_VIOLATION = "23505"
_WAYS_OUT = {
    "28": "the server refused the login: check user and password in the URL, and the server's pg_hba.conf",
    "3D000": "the database does not exist: create it, or name another one in the URL",
    "42501": "this user may not do that: grant it CREATE on the database, or ALL on the schema and what is in it",
    "42P01": "a table is missing: the schema was dropped or restored in part; open the queue anew",
    "3F000": "the schema is missing: it was dropped; open the queue anew",
    "53100": "the server's disk is full: make room; nothing was changed",
    "53300": "the server has no connection left: raise max_connections, or use smaller pools",
    "25006": "the server is read-only, as a standby is: name the primary in the URL",
    "57014": "the statement was cancelled by the server; nothing was changed",
}
_VALUES = {
    "22021": "a text holds a NUL character, or no characters at all, which PostgreSQL cannot keep",
    "54000": "a name or a key is too long for an index",
}
_REFUSED_WHEN_OPENING = ("28", "3D", "42501", "25006")
_OF_THE_CONNECTION = ("08", "57P01", "57P02", "57P03")
_ROLLED_BACK = ("40001", "40P01")


class Fate(Enum):
    """What is known of a statement that failed."""

    ROLLED_BACK = auto()
    """Nothing of it is kept, and it works when it is run again."""
    UNKNOWN = auto()
    """The connection was lost: it happened, or it did not."""
    REFUSED = auto()
    """Nothing of it is kept, and it would be refused again."""


class ConnectionLostError(DatabaseError):
    """The connection was lost under way: the statement happened, or it did not."""


def fate_of(error: BaseException) -> Fate:
    """Tell what may be done about a failed statement."""
    code = _code(error)
    if code.startswith(_ROLLED_BACK):
        return Fate.ROLLED_BACK
    if code.startswith(_OF_THE_CONNECTION) or _is_of_the_connection(error):
        return Fate.UNKNOWN
    return Fate.REFUSED


def explained(error: Exception, shown: str) -> Exception:
    """Return the error of the tree for one of the driver, the server or the system; others as they are."""
    code = _code(error)
    if code.startswith("22") or code in _VALUES:
        # no cause: the driver's message repeats the value
        message = f"{shown} cannot hold a value: {_VALUES.get(code, type(error).__name__)}"
        return ValidationError(message, details={"sqlstate": code})
    if isinstance(error, PorticoError) or not (code or isinstance(error, OSError) or _is_of_the_driver(error)):
        return error
    kind = ConnectionLostError if fate_of(error) is Fate.UNKNOWN else DatabaseError
    message = f"{shown}: {_way_out(code) or _said(error)}"
    return kind(message, details={"database": shown, "sqlstate": code}, cause=error)


def explained_opening(error: Exception, shown: str) -> Exception:
    """Do the same for an error while the store is opened: what only another configuration mends is one of it."""
    if isinstance(error, ValueError) and not isinstance(error, PorticoError):
        # no cause: the driver's words repeat parts of the URL
        message = f"{shown}: the URL cannot be read; percent-encode what is special in user and password"
        return ConfigurationError(message, details={"database": shown})
    told = explained(error, shown)
    if isinstance(told, DatabaseError) and _code(error).startswith(_REFUSED_WHEN_OPENING):
        return ConfigurationError(told.message, details=told.details, cause=error)
    return unreachable(error, shown) if isinstance(told, ConnectionLostError) else told


def unreachable(error: BaseException | None, shown: str) -> DatabaseError:
    """Say that no connection could be made; nothing was changed."""
    code = _code(error)
    problem = _way_out(code) or f"does not answer ({_said(error)}): is it running, and are host and port right?"
    return DatabaseError(f"{shown}: {problem}", details={"database": shown, "sqlstate": code}, cause=error)


def cause_of(told: Exception) -> BaseException | None:
    """Return what a told error is raised from: nothing when the driver's own words would repeat a value."""
    return told.cause if isinstance(told, PorticoError) else told.__cause__


def _is_of_the_connection(error: BaseException) -> bool:
    return isinstance(error, OSError) or (_is_of_the_driver(error) and "connection" in str(error))


def _is_of_the_driver(error: BaseException) -> bool:
    return type(error).__module__.startswith("asyncpg")


def _way_out(code: str) -> str | None:
    return next((way for prefix, way in _WAYS_OUT.items() if code and code.startswith(prefix)), None)


def _code(error: BaseException | None) -> str:
    code = getattr(error, "sqlstate", None)
    return code if isinstance(code, str) else ""


def _said(error: BaseException | None) -> str:
    """Return the first line: further ones may hold values."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).partition("\n")[0] or type(error).__name__
