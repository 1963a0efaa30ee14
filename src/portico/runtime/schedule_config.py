"""What a schedule is: when, and which job."""

import hashlib
import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from portico.exceptions import ConfigurationError, ValidationError
from portico.runtime.json_values import require_json, require_json_object
from portico.runtime.schedules import Ticks, cron_ticks, interval_ticks

_MAX_PRIORITY = 2**31 - 1


class _DerivedId(str):
    """An id that was left out, so that ``dataclasses.replace`` derives a new one."""

    __slots__ = ()


@dataclass(frozen=True)
class ScheduleConfig:
    """A job to create again and again; exactly one of `cron` and `every`.

    Args:
        cron: five fields (minute, hour, day of month, month, day of week), or six with the second first.
        job_type: names the handler.
        payload: a JSON object, the same at each tick.
        queue_name: the queue of the jobs.
        priority: higher runs first.
        timezone: the IANA name of the zone whose wall clock `cron` follows.
        every: seconds between ticks, counted from 1970-01-01 00:00 UTC, so that replicas agree.
        schedule_id: names the schedule in keys and in its cursor; left out, it is a hash of all of the above.

    Raises:
        ConfigurationError: a value is refused; the message names the field and the value.

    """

    cron: str | None = None
    job_type: str = ""
    payload: dict[str, Any] = field(default_factory=dict, hash=False)
    queue_name: str = "default"
    priority: int = 0
    timezone: str = "UTC"
    every: float | None = None
    schedule_id: str = ""

    def __post_init__(self) -> None:
        _require_name("job_type", self.job_type)
        _require_name("queue_name", self.queue_name)
        _require_priority(self.priority)
        _require_payload(self.payload)
        # a mutable member of a frozen value: nobody else holds it
        object.__setattr__(self, "payload", deepcopy(self.payload))
        timing = self.timing()
        if not self.schedule_id or isinstance(self.schedule_id, _DerivedId):
            facts = [timing, self.job_type, self.payload, self.queue_name, self.priority]
            object.__setattr__(self, "schedule_id", _DerivedId(_digest(facts)))
        _require_name("schedule_id", self.schedule_id)

    @property
    def when(self) -> str:
        """The timetable as it was written, for a human."""
        return f"every {self.every:g} s" if self.every is not None else f"{self.cron} {self.timezone}"

    def ticks(self) -> Ticks:
        """Return when it fires."""
        zone = _zone(self.timezone)
        if (self.cron is None) == (self.every is None):
            raise ConfigurationError(
                f"give a schedule either cron or every; job_type '{self.job_type}' has cron={self.cron!r} "
                f"and every={self.every!r}"
            )
        return cron_ticks(self.cron, zone) if self.cron is not None else interval_ticks(self.every or 0)

    def timing(self) -> str:
        """Return one text for all ways to write the same times; another text is another timetable."""
        return str(self.ticks())

    def next_runs(self, count: int, after: datetime | None = None) -> list[datetime]:
        """Return the next `count` ticks after `after` (default now; naive means the system's local time).

        They are aware, in the schedule's zone; there are fewer where the calendar ends.
        """
        start = (after or datetime.now(UTC)).astimezone(UTC)
        zone = _zone(self.timezone)
        return [tick.astimezone(zone) for tick in islice(_ticks_after(self.ticks(), start), count)]


def _ticks_after(ticks: Ticks, instant: datetime) -> Iterator[datetime]:
    while (following := ticks.next_after(instant)) is not None:
        yield following
        instant = following


def _digest(facts: list[Any]) -> str:
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    # a folder of the database is an OSError, an absolute path a ValueError, another type a TypeError
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError, AttributeError):
        raise ConfigurationError(
            f"timezone {name!r} is not known; use an IANA name such as 'Europe/Paris'", details={"timezone": str(name)}
        ) from None


def _require_name(member: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{member} must be a text that is not blank, not {value!r}")
    try:
        require_json(value, member)
    except ValidationError as error:
        raise ConfigurationError(str(error)) from error


def _require_priority(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MAX_PRIORITY:
        raise ConfigurationError(f"priority must be an integer of at most {_MAX_PRIORITY}, not {value!r}")


def _require_payload(value: object) -> None:
    try:
        require_json_object(value, "payload")
    except ValidationError as error:
        raise ConfigurationError(str(error), details=error.details, cause=error) from error
