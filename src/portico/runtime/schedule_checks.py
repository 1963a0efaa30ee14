"""What may stand in the fields of a schedule."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from portico.exceptions import ConfigurationError, ValidationError
from portico.runtime.cron.clock_changes import change_between, offsets_of
from portico.runtime.json_values import require_json, require_json_object

_MAX_PRIORITY = 2**31 - 1
_MAX_NAME_LENGTH = 255
_NO_DAYS: frozenset[date] = frozenset()
"""One for all: an empty set of its own would be a third of a schedule's memory."""


def require_name(member: str, value: object) -> None:
    """Refuse what is blank, too long, or no Unicode text."""
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{member} must be a text that is not blank, not {value!r}")
    if len(value) > _MAX_NAME_LENGTH:
        raise ConfigurationError(f"{member} is longer than {_MAX_NAME_LENGTH} characters")
    try:
        require_json(value, member)
    except ValidationError as error:
        raise ConfigurationError(str(error)) from error


def require_priority(value: object) -> None:
    """Refuse what is not an integer that every store can hold."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MAX_PRIORITY:
        raise ConfigurationError(f"priority must be an integer of at most {_MAX_PRIORITY}, not {value!r}")


def require_payload(value: object) -> None:
    """Refuse what is not a JSON object."""
    try:
        require_json_object(value, "payload")
    except ValidationError as error:
        raise ConfigurationError(str(error), details=error.details, cause=error) from error


def require_choice(member: str, value: object, choices: Sequence[str]) -> None:
    """Refuse what is not one of the words."""
    if value not in choices:
        raise ConfigurationError(f"{member} must be one of {', '.join(map(repr, choices))}, not {value!r}")


def require_duration(member: str, value: object, longest: timedelta) -> None:
    """Refuse what is not a `timedelta` from zero to `longest`."""
    if not isinstance(value, timedelta):
        raise ConfigurationError(f"{member} must be a timedelta, such as timedelta(seconds=30), not {value!r}")
    if not timedelta(0) <= value <= longest:
        raise ConfigurationError(f"{member} must be from 0 to {longest.days} days, not {value}")


def require_count(member: str, value: object, highest: int) -> None:
    """Refuse what is not an integer from 1 to `highest`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= highest:
        raise ConfigurationError(f"{member} must be an integer from 1 to {highest}, not {value!r}")


def checked_zone(name: str) -> ZoneInfo:
    """Return the zone of an IANA name."""
    try:
        return ZoneInfo(name)
    # a folder of the database is an OSError, an absolute path a ValueError, another type a TypeError
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError, AttributeError):
        raise ConfigurationError(
            f"timezone {name!r} is not known; use an IANA name such as 'Europe/Paris'", details={"timezone": str(name)}
        ) from None


def checked_instant(member: str, value: object, zone: tzinfo) -> datetime | None:
    """Return the time in UTC; a naive one is on the wall clock of the zone, and in a gap it is the end of that."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise ConfigurationError(f"{member} must be a datetime, not {value!r}")
    if value.tzinfo is not None:
        return value.astimezone(UTC)
    first, second = offsets_of(zone, value)
    if first < second:
        return change_between(zone, value - second, value - first).replace(tzinfo=UTC)
    return value.replace(tzinfo=zone).astimezone(UTC)


def checked_days(value: object) -> frozenset[date]:
    """Return the days, each once."""
    days = value if isinstance(value, list | tuple | set | frozenset) else [value]
    return frozenset(map(_checked_day, days)) if days else _NO_DAYS


def _checked_day(day: object) -> date:
    if not isinstance(day, date) or isinstance(day, datetime):
        raise ConfigurationError(f"exclude must hold dates, such as date(2030, 12, 25), not {day!r}")
    return day


def digest(facts: list[Any]) -> str:
    """Return a short name for JSON values, the same in every process."""
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
