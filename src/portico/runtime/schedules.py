"""When a schedule fires: pure arithmetic on instants."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from typing_extensions import override

from portico.exceptions import ConfigurationError
from portico.runtime.cron.next_after import next_after
from portico.runtime.cron.parse import canonical_cron, parse

SHORTEST_INTERVAL_SECONDS = 0.001
LONGEST_INTERVAL_SECONDS = 366 * 24 * 3600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Ticks(ABC):
    """The instants at which a schedule fires, aware and in UTC; `str` is the same text for the same instants."""

    @abstractmethod
    def next_after(self, instant: datetime) -> datetime | None:
        """Return the first tick after `instant`, or None when there is none."""

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


@dataclass(frozen=True)
class CronTicks(Ticks):
    """Ticks of a cron expression on the wall clock of a zone."""

    expression: str
    zone: tzinfo

    @override
    def __str__(self) -> str:
        return f"cron {self.expression} in {self.zone}"

    @override
    def next_after(self, instant: datetime) -> datetime | None:
        return next_after(parse(self.expression), UTC if str(self.zone) == "UTC" else self.zone, instant)


@dataclass(frozen=True)
class IntervalTicks(Ticks):
    """Ticks at whole multiples of an interval since the epoch, so that every replica counts the same ones."""

    interval: timedelta

    @override
    def __str__(self) -> str:
        return f"every {self.interval // timedelta.resolution} microseconds"

    @override
    def next_after(self, instant: datetime) -> datetime | None:
        number = (instant - _EPOCH) // self.interval + 1
        try:
            return _EPOCH + number * self.interval
        except OverflowError:
            return None


def cron_ticks(expression: str, zone: tzinfo) -> CronTicks:
    """Check the expression; see `canonical_cron` for what is refused."""
    return CronTicks(canonical_cron(expression), zone)


def interval_ticks(every: float) -> IntervalTicks:
    """Check the interval, in seconds; it is rounded to microseconds."""
    if isinstance(every, bool) or not isinstance(every, int | float):
        raise ConfigurationError(f"every must be a number of seconds, not {every!r}")
    if not SHORTEST_INTERVAL_SECONDS <= every <= LONGEST_INTERVAL_SECONDS:  # NaN is in no range
        raise ConfigurationError(
            f"every must be from {SHORTEST_INTERVAL_SECONDS} to {LONGEST_INTERVAL_SECONDS} seconds, not {every}"
        )
    return IntervalTicks(timedelta(microseconds=round(every * 1_000_000)))


def epoch_text(tick: datetime) -> str:
    """Return the seconds since the epoch, exact and without trailing zeros; the name of a tick in keys."""
    seconds, rest = divmod(tick - _EPOCH, timedelta(seconds=1))
    return f"{seconds}.{rest.microseconds:06d}".rstrip("0").rstrip(".")
