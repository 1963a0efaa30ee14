"""What a schedule is: when, which job, and what becomes of ticks that were missed or meet an unfinished job."""

from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import islice
from typing import Any, Literal

from typing_extensions import override

from portico.exceptions import ConfigurationError
from portico.runtime.cron.describe import describe
from portico.runtime.cron.parse import canonical_cron, parse
from portico.runtime.cron.warnings import warnings_about
from portico.runtime.schedule_checks import checked_days, checked_instant, checked_zone, digest
from portico.runtime.schedules import LimitedTicks, OneTick, Ticks, cron_ticks, interval_ticks
from portico.runtime.setting_checks import (
    require_choice,
    require_count,
    require_duration,
    require_name,
    require_payload,
    require_priority,
)

Misfire = Literal["once", "skip", "all"]
Overlap = Literal["allow", "skip", "queue_one"]

MISFIRES: tuple[Misfire, ...] = ("once", "skip", "all")
OVERLAPS: tuple[Overlap, ...] = ("allow", "skip", "queue_one")
_LONGEST = timedelta(days=366)
_MAX_CATCHUP = 10_000


class _DerivedId(str):
    """An id that was left out, so that ``dataclasses.replace`` derives a new one."""

    __slots__ = ()


@dataclass(frozen=True)
class ScheduleDescription:
    """A schedule in words; `warnings` are sentences on what is often meant otherwise."""

    text: str
    warnings: tuple[str, ...] = ()

    @override
    def __str__(self) -> str:
        return "\n".join([self.text, *(f"warning: {warning}" for warning in self.warnings)])


@dataclass(frozen=True, slots=True)
class ScheduleConfig:
    """A job to create again and again; exactly one of `cron`, `every` and `at`.

    Naive times are read on the wall clock of `timezone`.

    Args:
        cron: five fields (minute, hour, day of month, month, day of week), or six with the second first.
        job_type: names the handler.
        payload: a JSON object, the same at each tick.
        queue_name: the queue of the jobs.
        priority: higher runs first.
        timezone: the IANA name of the zone whose wall clock `cron` follows.
        every: seconds between ticks, counted from `start_at`, or from 1970-01-01 00:00 UTC, so that replicas agree.
        schedule_id: names the schedule in keys and in its cursor; left out, it is a hash of when and which job.
        at: the only tick.
        start_at: no tick before it; at it there may be one.
        end_at: no tick at or after it.
        exclude: days in `timezone` without ticks.
        misfire: of ticks that were missed, create the latest (``"once"``), none (``"skip"``) or each (``"all"``).
        catchup_window: ticks missed for longer are given up; a failing creation is tried for as long.
        max_catchup: how many missed ticks ``"all"`` creates, the latest ones.
        overlap: while a job of the schedule is unfinished, create the next all the same (``"allow"``), leave its tick
            out (``"skip"``), or let one tick wait until it is finished (``"queue_one"``).
        jitter: jobs run up to so much after their tick; schedule and tick decide how much, on every replica alike.

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
    at: datetime | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None
    exclude: Collection[date] = ()
    misfire: Misfire = "once"
    catchup_window: timedelta = timedelta(days=1)
    max_catchup: int = 100
    overlap: Overlap = "allow"
    jitter: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        self._check_job()
        self._check_policies()
        zone = checked_zone(self.timezone)
        for name in ("at", "start_at", "end_at"):
            self._set(name, checked_instant(name, getattr(self, name), zone))
        self._set("exclude", checked_days(self.exclude))
        self._check_timing()
        if not self.schedule_id or isinstance(self.schedule_id, _DerivedId):
            self._set("schedule_id", "")
            facts = [self.timing(), self.job_type, self.payload, self.queue_name, self.priority]
            self._set("schedule_id", _DerivedId(digest(facts)))
        require_name("schedule_id", self.schedule_id)
        # only with its id is it known what an H becomes, and whether that day ever comes
        self.ticks()

    @property
    def when(self) -> str:
        """The timetable as it was written, for a human."""
        if self.at is not None:
            return f"at {self.at.astimezone(checked_zone(self.timezone)).isoformat()}"
        return f"every {self.every:g} s" if self.every is not None else f"{self.cron} {self.timezone}"

    def ticks(self) -> Ticks:
        """Return when it fires."""
        zone = checked_zone(self.timezone)
        ticks = self._unlimited_ticks(zone)
        if self.start_at is None and self.end_at is None and not self.exclude:
            return ticks
        return LimitedTicks(ticks, zone, self.start_at, self.end_at, frozenset(self.exclude))

    def timing(self) -> str:
        """Return one text for all ways to write the same times; another text is another timetable."""
        return str(self.ticks())

    def next_runs(self, count: int, after: datetime | None = None) -> list[datetime]:
        """Return the next `count` ticks after `after` (default now; naive means the system's local time).

        They are aware, in the schedule's zone; there are fewer where the timetable ends. `jitter` is not in them.
        """
        start = (after or datetime.now(UTC)).astimezone(UTC)
        zone = checked_zone(self.timezone)
        return [tick.astimezone(zone) for tick in islice(self.ticks().after(start), count)]

    def describe(self, after: datetime | None = None) -> ScheduleDescription:
        """Say in words when it fires, and what to look out for in the year after `after` (default now)."""
        start = (after or datetime.now(UTC)).astimezone(UTC)
        warnings = [] if self.next_runs(1, start) else [f"it does not fire after {start.isoformat(timespec='seconds')}"]
        if self.cron is None:
            return ScheduleDescription(f"{self.when}{self._limits()}", tuple(warnings))
        canonical = canonical_cron(self.cron, self.schedule_id)
        spec = parse(canonical, self.schedule_id)
        warnings += warnings_about(canonical, spec, checked_zone(self.timezone), start)
        return ScheduleDescription(f"{describe(spec)} ({self.timezone}){self._limits()}", tuple(warnings))

    def _limits(self) -> str:
        limits = (
            self.start_at and f"from {self.start_at.isoformat()}",
            self.end_at and f"until {self.end_at.isoformat()}",
            self.exclude and f"not on {', '.join(map(str, sorted(self.exclude)))}",
        )
        return "".join(f", {limit}" for limit in limits if limit)

    def _check_job(self) -> None:
        require_name("job_type", self.job_type)
        require_name("queue_name", self.queue_name)
        require_priority(self.priority)
        require_payload(self.payload)
        # a mutable member of a frozen value: nobody else holds it
        self._set("payload", deepcopy(self.payload))

    def _check_policies(self) -> None:
        require_choice("misfire", self.misfire, MISFIRES)
        require_choice("overlap", self.overlap, OVERLAPS)
        require_duration("catchup_window", self.catchup_window, _LONGEST)
        require_duration("jitter", self.jitter, _LONGEST)
        require_count("max_catchup", self.max_catchup, _MAX_CATCHUP)

    def _check_timing(self) -> None:
        given = {name: getattr(self, name) for name in ("cron", "every", "at") if getattr(self, name) is not None}
        if len(given) != 1:
            facts = ", ".join(f"{name}={value!r}" for name, value in given.items()) or "none of them"
            raise ConfigurationError(
                f"give a schedule either cron, every or at; job_type '{self.job_type}' has {facts}"
            )
        if self.start_at is not None and self.end_at is not None and self.start_at >= self.end_at:
            raise ConfigurationError(f"start_at {self.start_at} must be before end_at {self.end_at}")

    def _unlimited_ticks(self, zone: tzinfo) -> Ticks:
        if self.cron is not None:
            return cron_ticks(self.cron, zone, self.schedule_id)
        return OneTick(self.at) if self.at is not None else interval_ticks(self.every or 0, self.start_at)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
