"""The fields of an expression: what each may hold, and how an item of it is read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from zlib import crc32

_ITEM = re.compile(
    r"""(?: (?P<star>\*)
          | (?P<hashed>H) (?: \( (?P<low>\d{1,4}) - (?P<high>\d{1,4}) \) )?
          | (?P<first>\d{1,4}|[A-Z]{3}) (?: - (?P<last>\d{1,4}|[A-Z]{3}) )?
        ) (?: / (?P<step>\d{1,4}) )?""",
    re.VERBOSE | re.ASCII,
)
_MISPLACED_STAR = re.compile(r"\*(\d+)|(\d+)\*", re.ASCII)
_NAME_LENGTH = 3
_YEAR_LENGTH = 4


class ItemError(Exception):
    """An item of a field that is refused."""

    def __init__(self, of: "Field", item: str, hint: str = "") -> None:
        super().__init__(of, item, hint)
        self.item = item
        self._of = of
        self._hint = hint

    def explain(self, written: str) -> str:
        """Return what is wrong, with the item as it was written."""
        reason = f"{self._of.name} has the item '{written}'; allowed are {self._of.allowed}"
        return f"{reason}; {self._hint}" if self._hint else reason


@dataclass(frozen=True, kw_only=True)
class Field:
    """One of the six."""

    name: str
    allowed: str
    """For messages."""
    lowest: int
    highest: int
    wraps_at: int
    """The last value before a range would begin anew."""
    highest_hashed: int
    """The last value that `H` becomes: one that every month has."""
    names: Mapping[str, int] = field(default_factory=dict, hash=False)

    def mask(self, item: str, hash_key: str) -> int:
        """Return the bits of an item: a star, a value, a range or an `H`, each with or without a step.

        Raises:
            ItemError: it is none of these.

        """
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ItemError(self, item, self._hint(item))
        step = int(match["step"] or 1)
        if not step:
            raise ItemError(self, item, "a step is 1 or more")
        if match["hashed"]:
            first, last = self._hashed_span(item, match, hash_key)
        else:
            first, last = self._span(item, match)
        return _mask(first, last, step)

    def value(self, text: str, item: str) -> int:
        """Return the value of a number or a name, or refuse the item that it is part of."""
        value = int(text) if text.isdigit() else self.names.get(text, -1)
        if not self.lowest <= value <= self.highest:
            raise ItemError(self, item, self._hint(text))
        return value

    def _span(self, item: str, match: re.Match[str]) -> tuple[int, int]:
        if match["star"]:
            return self.lowest, self.highest
        first = self.value(match["first"], item)
        if not match["last"]:
            # Debian refuses a value with a step; other crons read it as the range from there to the end
            return first, self.highest if match["step"] else first
        last = self.value(match["last"], item)
        if last < first:
            raise ItemError(self, item, self._hint_for_reversed(match["first"], match["last"]))
        return first, last

    def _hashed_span(self, item: str, match: re.Match[str], hash_key: str) -> tuple[int, int]:
        low, high = self.lowest, self.highest_hashed
        if match["low"]:
            low, high = self.value(match["low"], item), self.value(match["high"], item)
        if high < low:
            raise ItemError(self, item, f"write H({high}-{low})")
        choices = high - low + 1
        if match["step"]:
            choices = min(choices, int(match["step"]))
        first = low + crc32(f"{hash_key}:{self.name}".encode()) % choices
        return first, high if match["step"] else first

    def _hint_for_reversed(self, first: str, last: str) -> str:
        named = {value: name for name, value in self.names.items()} if first.isalpha() else {}
        end, start = (named.get(value, str(value)) for value in (self.wraps_at, self.lowest))
        spans = (first if first == end else f"{first}-{end}", last if start == last else f"{start}-{last}")
        return f"a range does not wrap around: write {','.join(spans)}"

    def _hint(self, text: str) -> str:
        if len(text) > _NAME_LENGTH and text[:_NAME_LENGTH] in self.names:
            return f"did you mean {text[:_NAME_LENGTH]}?"
        if len(text) == _YEAR_LENGTH and text.isdigit():
            return "there is no field for the year: use start_at and end_at"
        if match := _MISPLACED_STAR.fullmatch(text):
            return f"did you mean */{match[1] or match[2]}?"
        return ""


def _numbered(names: str, first: int) -> Mapping[str, int]:
    return MappingProxyType({name: number for number, name in enumerate(names.split(), first)})


SECOND = Field(name="second", allowed="0-59", lowest=0, highest=59, wraps_at=59, highest_hashed=59)
MINUTE = Field(name="minute", allowed="0-59", lowest=0, highest=59, wraps_at=59, highest_hashed=59)
HOUR = Field(name="hour", allowed="0-23", lowest=0, highest=23, wraps_at=23, highest_hashed=23)
DAY = Field(name="day of month", allowed="1-31, L, LW or 1W-31W", lowest=1, highest=31, wraps_at=31, highest_hashed=28)
MONTH = Field(
    name="month",
    allowed="1-12 or JAN-DEC",
    lowest=1,
    highest=12,
    wraps_at=12,
    highest_hashed=12,
    names=_numbered("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC", 1),
)
WEEKDAY = Field(
    name="day of week",
    allowed="0-7 or SUN-SAT (0 and 7 are Sunday), 5L or 5#2",
    lowest=0,
    highest=7,
    wraps_at=6,
    highest_hashed=6,
    names=_numbered("SUN MON TUE WED THU FRI SAT", 0),
)
FIELDS = (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY)


def _mask(first: int, last: int, step: int) -> int:
    return sum(1 << value for value in range(first, last + 1, step))
