"""When a schedule fires: pure arithmetic on instants."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import takewhile

from typing_extensions import override

from portico.exceptions import ConfigurationError
from portico.runtime.cron.next_after import next_after
from portico.runtime.cron.parse import canonical_cron, is_hashed, parse

SHORTEST_INTERVAL_SECONDS = 0.001
LONGEST_INTERVAL_SECONDS = 366 * 24 * 3600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_SHARED = 4_096
_REMEMBERED_NAMES = 256


class Ticks(ABC):
    """The instants at which a schedule fires, aware and in UTC; `str` is the same text for the same instants."""

    @abstractmethod
    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first tick after `instant`, or None when there is none."""

    def after(self, instant: datetime) -> Iterator[datetime]:
        """Yield the ticks after `instant`."""
        following: datetime | None = instant
        while following is not None and (following := self.next_after(following)) is not None:
            yield following

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the ticks in ``(after, until]``."""
        return takewhile(lambda tick: tick <= until, self.after(after))

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        """Return the last tick in ``(after, until]``, by bisection: a day of missed seconds costs some 20 steps."""
        tick, high = after, until
        found = None
        while (following := self.next_after(tick)) is not None and following <= until:
            middle = following + (high - following) / 2
            later = self.next_after(middle)
            if later is not None and later <= until:
                found = tick = later
            else:
                found = tick = following
                high = middle
        return found


class CronTicks(Ticks):
    """Ticks of a cron expression on the wall clock of a zone.

    It remembers its last answers: schedules with one timetable share one of these and ask it the same questions.
    """

    __slots__ = ("_answered", "_latest", "_spec", "_text", "_zone")

    def __init__(self, expression: str, zone: tzinfo, hash_key: str = "") -> None:
        self._text = f"cron {expression} in {zone}"
        self._spec = parse(expression, hash_key)
        self._zone = UTC if str(zone) == "UTC" else zone
        self._answered: tuple[datetime, datetime | None] = (datetime.max.replace(tzinfo=UTC), None)
        self._latest: tuple[datetime, datetime, datetime | None] | None = None

    @override
    def __str__(self) -> str:
        return self._text

    @override
    def next_after(self, instant: datetime) -> datetime | None:
        asked, answer = self._answered
        if asked != instant:
            answer = next_after(self._spec, self._zone, instant)
            self._answered = (instant, answer)
        return answer

    @override
    def latest(self, after: datetime, until: datetime) -> datetime | None:
        if self._latest is not None:
            asked, answer, following = self._latest
            if asked == after and answer <= until and (following is None or until < following):
                return answer
        found = super().latest(after, until)
        if found is not None:
            self._latest = (after, found, self.next_after(found))
        return found


@dataclass(frozen=True)
class IntervalTicks(Ticks):
    """Ticks at whole multiples of an interval since an instant, so that every replica counts the same ones."""

    interval: timedelta
    anchor: datetime = _EPOCH

    @override
    def __str__(self) -> str:
        text = f"every {self.interval // timedelta.resolution} microseconds"
        return text if self.anchor == _EPOCH else f"{text} from {self.anchor.isoformat()}"

    @override
    def next_after(self, instant: datetime) -> datetime | None:
        number = (instant - self.anchor) // self.interval + 1
        try:
            return self.anchor + number * self.interval
        except OverflowError:
            return None

    @override
    def latest(self, after: datetime, until: datetime) -> datetime | None:
        tick = self.anchor + (until - self.anchor) // self.interval * self.interval
        return tick if tick > after else None


@dataclass(frozen=True)
class OneTick(Ticks):
    """A single tick."""

    at: datetime

    @override
    def __str__(self) -> str:
        return f"at {self.at.isoformat()}"

    @override
    def next_after(self, instant: datetime) -> datetime | None:
        return self.at if self.at > instant else None


@dataclass(frozen=True)
class LimitedTicks(Ticks):
    """Those of other ticks that are in ``[start, end)`` and not on an excluded day of the zone."""

    ticks: Ticks
    zone: tzinfo
    start: datetime | None = None
    end: datetime | None = None
    exclude: frozenset[date] = frozenset()

    @override
    def __str__(self) -> str:
        days = ", ".join(day.isoformat() for day in sorted(self.exclude))
        limits = (
            self.start and f"from {self.start.isoformat()}",
            self.end and f"until {self.end.isoformat()}",
            days and f"without {days}",
        )
        return " ".join([str(self.ticks), *(limit for limit in limits if limit)])

    @override
    def next_after(self, instant: datetime) -> datetime | None:
        if self.start is not None and instant < self.start:
            instant = self.start - timedelta.resolution
        while (tick := self.ticks.next_after(instant)) is not None:
            if self.end is not None and tick >= self.end:
                return None
            day = tick.astimezone(self.zone).date()
            if day not in self.exclude:
                return tick
            # a whole day at a time: it may have 86,400 ticks
            instant = max(tick, self._end_of(day))
        return None

    def _end_of(self, day: date) -> datetime:
        midnight = datetime.combine(day + timedelta(days=1), time(), self.zone)
        return midnight.astimezone(UTC) - timedelta.resolution


@lru_cache(_MAX_SHARED)
def _shared_cron_ticks(canonical: str, zone: tzinfo) -> CronTicks:
    return CronTicks(canonical, zone)


def cron_ticks(expression: str, zone: tzinfo, hash_key: str = "") -> CronTicks:
    """Check the expression; see `canonical_cron` for what is refused."""
    canonical = canonical_cron(expression, hash_key)
    return CronTicks(canonical, zone, hash_key) if is_hashed(canonical) else _shared_cron_ticks(canonical, zone)


def interval_ticks(every: float, anchor: datetime | None = None) -> IntervalTicks:
    """Check the interval, in seconds; it is rounded to microseconds."""
    if isinstance(every, bool) or not isinstance(every, int | float):
        raise ConfigurationError(f"every must be a number of seconds, not {every!r}")
    if not SHORTEST_INTERVAL_SECONDS <= every <= LONGEST_INTERVAL_SECONDS:  # NaN is in no range
        raise ConfigurationError(
            f"every must be from {SHORTEST_INTERVAL_SECONDS} to {LONGEST_INTERVAL_SECONDS} seconds, not {every}"
        )
    return IntervalTicks(timedelta(microseconds=round(every * 1_000_000)), anchor or _EPOCH)


@lru_cache(_REMEMBERED_NAMES)
def epoch_text(tick: datetime) -> str:
    """Return the seconds since the epoch, exact and without trailing zeros; the name of a tick in keys."""
    seconds, rest = divmod(tick - _EPOCH, timedelta(seconds=1))
    return f"{seconds}.{rest.microseconds:06d}".rstrip("0").rstrip(".")
