"""What may stand in the fields of a schedule, and of the trigger of schedules."""

import hashlib
import json
import math
from datetime import UTC, date, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from portico.exceptions import ConfigurationError
from portico.runtime.cron.clock_changes import change_between, offsets_of

_NO_DAYS: frozenset[date] = frozenset()
"""One for all: an empty set of its own would be a third of a schedule's memory."""


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


def checked_attempts(max_retries: int) -> int:
    """Return the number of attempts for a tick."""
    if isinstance(max_retries, bool) or not isinstance(max_retries, int) or max_retries < 1:
        raise ConfigurationError(f"max_retries counts attempts and must be at least 1, not {max_retries!r}")
    return max_retries


def checked_delay(retry_base_delay: float) -> float:
    """Return the seconds after the first failed attempt."""
    if not isinstance(retry_base_delay, int | float) or not 0 <= retry_base_delay < math.inf:
        raise ConfigurationError(f"retry_base_delay must be seconds, 0 or more, not {retry_base_delay!r}")
    return retry_base_delay
