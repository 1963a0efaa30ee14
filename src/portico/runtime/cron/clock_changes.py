"""When the clock of a zone is changed; instants are naive here, and in UTC."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

SMALL_CHANGE = timedelta(hours=3)
"""Beyond it nothing is made up and nothing held back."""
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ClockChange:
    """The moment, and the offsets from UTC on both sides of it."""

    instant: datetime
    before: timedelta
    after: timedelta

    @property
    def wall_before(self) -> datetime:
        """What the clock would have shown."""
        return self.instant + self.before

    @property
    def wall_after(self) -> datetime:
        """What it shows."""
        return self.instant + self.after


def offsets_of(zone: tzinfo, wall: datetime) -> tuple[timedelta, timedelta]:
    """Return the offsets of both readings of a wall time: the first is larger in a fold, smaller in a gap."""
    before, after = zone.utcoffset(wall), zone.utcoffset(wall.replace(fold=1))
    assert before is not None, "the zone has no offsets"  # noqa: S101 - only zones of the database come here
    assert after is not None, "the zone has no offsets"  # noqa: S101 - as above
    return before, after


def change_between(zone: tzinfo, low: datetime, high: datetime) -> datetime:
    """Return the moment of the one change in ``(low, high]``, by bisection."""
    old = _offset_at(zone, low)
    while high - low > _SECOND:
        middle = low + (high - low) // _SECOND // 2 * _SECOND
        if _offset_at(zone, middle) == old:
            low = middle
        else:
            high = middle
    return high


def changes_within(zone: tzinfo, start: datetime, days: int) -> Iterator[ClockChange]:
    """Yield the changes of so many days, seen at daily intervals."""
    for number in range(days):
        low = start + number * _DAY
        before, after = _offset_at(zone, low), _offset_at(zone, low + _DAY)
        if before != after:
            yield ClockChange(change_between(zone, low, low + _DAY), before, after)


def _offset_at(zone: tzinfo, utc: datetime) -> timedelta:
    offset = utc.replace(tzinfo=UTC).astimezone(zone).utcoffset()
    assert offset is not None, "an aware time has an offset"  # noqa: S101 - as the standard library has it
    return offset
