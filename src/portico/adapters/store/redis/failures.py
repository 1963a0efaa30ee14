"""What Redis's errors mean to whoever has to do something about them."""

from collections.abc import Mapping
from types import MappingProxyType

from portico.exceptions import ConfigurationError, DatabaseError, PorticoError

_LONGEST_TEXT = 200
_WAYS_OUT: Mapping[str, str] = MappingProxyType(
    {
        "OOM": "it is out of memory: raise maxmemory, or let workers catch up; nothing was changed",
        "READONLY": "it is a replica: name the primary, or an address that follows it",
        "MISCONF": "it cannot save to its disk and refuses writes: look at its log; nothing was changed",
        "LOADING": "it is still loading its data: try again in a moment",
        "NOREPLICAS": "too few of its replicas are up (min-replicas-to-write); nothing was changed",
        "CLUSTERDOWN": "the cluster is down or has no owner for this slot",
        "TRYAGAIN": "the slot of this prefix is being moved: try again when that is done",
        "ASK": "the slot of this prefix is being moved: try again when that is done",
        "BUSY": "another client's script blocks it",
    }
)
_REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        "WRONGPASS": "it refuses the user or the password of the URL",
        "NOAUTH": "it asks for a password: put it into the URL, redis://user:password@host",
        "NOPERM": "this user may not do that: Portico needs functions, hashes, sorted sets, and its prefix's keys",
    }
)


class ReplyLostError(DatabaseError):
    """What was asked for happened or did not: the reply would have told."""


def explained(error: BaseException, place: str) -> PorticoError:
    """Return the error of the tree for one of the server or the connection; `place` is what the URL shows."""
    text = _first_line(error)
    code = text.partition(" ")[0]
    details = {"server": place, "code": code if code.isupper() else type(error).__name__}
    if code in _REFUSALS:
        return ConfigurationError(f"Redis at {place}: {_REFUSALS[code]}", details=details, cause=error)
    if code in _WAYS_OUT:
        return DatabaseError(f"Redis at {place}: {_WAYS_OUT[code]}", details=details, cause=error)
    return DatabaseError(f"Redis at {place}: {text or type(error).__name__}", details=details, cause=error)


def lost(error: BaseException, place: str) -> ReplyLostError:
    """Say that the connection broke while an answer was awaited."""
    message = f"the connection to Redis at {place} was lost before it answered; repeat the call"
    return ReplyLostError(message, details={"server": place}, cause=error)


def code_of(error: BaseException) -> str:
    """Return the word that a reply which is an error starts with."""
    return str(error).partition(" ")[0]


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:_LONGEST_TEXT]
