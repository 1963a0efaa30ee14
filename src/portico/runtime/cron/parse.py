"""From the text of an expression to what it means, or to a refusal that says what is wrong with it."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType

from portico.exceptions import ConfigurationError
from portico.runtime.cron.fields import DAY, HOUR, MINUTE, MONTH, SECOND, WEEKDAY, Field, ItemError
from portico.runtime.cron.spec import LAST, CronSpec
from portico.runtime.cron.wall_clock import first_match

MACROS: Mapping[str, str] = MappingProxyType(
    {
        "@YEARLY": "0 0 1 1 *",
        "@ANNUALLY": "0 0 1 1 *",
        "@MONTHLY": "0 0 1 * *",
        "@WEEKLY": "0 0 * * 0",
        "@DAILY": "0 0 * * *",
        "@MIDNIGHT": "0 0 * * *",
        "@HOURLY": "0 * * * *",
    }
)
_WITHOUT_SECONDS = 5
_WITH_SECONDS = 6
_MAX_LENGTH = 1_000
_MAX_CACHED = 4_096
_EARLIEST = datetime(2000, 1, 1)  # noqa: DTZ001 - a wall clock has no zone
_OF_WEEKDAY = re.compile(r"(?P<weekday>\d|[A-Z]{3})(?:L|#(?P<occurrence>[1-5]))|L(?P<last>\d|[A-Z]{3})", re.ASCII)
_NEAREST_WORKDAY = re.compile(r"(\d{1,2})W", re.ASCII)


def canonical_cron(expression: str, hash_key: str = "") -> str:
    """Return the expression in one spelling: macros written out, upper case, one space between fields.

    Args:
        expression: as it was written.
        hash_key: what an `H` in it is decided by; without it, such an expression may turn out never to fire.

    Raises:
        ConfigurationError: it is not an expression, or one that never fires; names the expression, the field, the item
            in it and what is allowed there.

    """
    if not isinstance(expression, str) or not expression.strip():
        raise ConfigurationError(f"cron must be an expression such as '0 9 * * *', not {expression!r}")
    if len(expression) > _MAX_LENGTH:
        raise ConfigurationError(f"cron is longer than {_MAX_LENGTH} characters")
    return _checked(expression, hash_key if is_hashed(expression.upper()) else "")


def parse(canonical: str, hash_key: str = "") -> CronSpec:
    """Return the meaning of what `canonical_cron` returned; `hash_key` decides what an `H` becomes."""
    return _parsed(canonical, hash_key if is_hashed(canonical) else "")


def is_hashed(canonical: str) -> bool:
    """Tell whether the expression has an `H`."""
    return "H" in canonical.replace("THU", "")


@lru_cache(_MAX_CACHED)
def _checked(expression: str, hash_key: str) -> str:
    parts = _parts(expression)
    try:
        spec = _spec(parts, hash_key)
    except ItemError as error:
        begin = expression.upper().find(error.item)
        raise _refusal(expression, error.explain(expression[begin : begin + len(error.item)])) from None
    is_decided = hash_key or not is_hashed(" ".join(parts))
    if is_decided and first_match(spec, _EARLIEST) is None:
        day, month, weekday = parts[-3:]
        reason = f"it never fires: day of month '{day}', month '{month}', day of week '{weekday}' never meet"
        raise _refusal(expression, reason)
    return " ".join(parts)


@lru_cache(_MAX_CACHED)
def _parsed(canonical: str, hash_key: str) -> CronSpec:
    return _spec(canonical.split(" "), hash_key)


def _parts(expression: str) -> list[str]:
    text = expression.strip(" \t")
    if not text.isascii() or not text.replace("\t", " ").isprintable():
        raise _refusal(expression, "only ASCII letters, digits and signs are allowed, with spaces between the fields")
    upper = text.upper()
    if upper.startswith("@"):
        upper = _written_out(expression, upper)
    parts = upper.split()
    if len(parts) not in (_WITHOUT_SECONDS, _WITH_SECONDS):
        wanted = "5 (minute, hour, day of month, month, day of week) or 6 (second first) are needed"
        hint = "; there is no field for the year: use start_at and end_at" if len(parts) > _WITH_SECONDS else ""
        raise _refusal(expression, f"it has {len(parts)} fields, and {wanted}{hint}")
    for position in (-3, -1):
        if parts[position] == "?":
            parts[position] = "*"
    return parts


def _written_out(expression: str, macro: str) -> str:
    if macro in MACROS:
        return MACROS[macro]
    if macro == "@REBOOT":
        raise _refusal(expression, "a start of the process is no point in time; create such a job where you start")
    if macro.startswith("@EVERY"):
        raise _refusal(expression, "use every=... (seconds) instead of cron")
    raise _refusal(expression, f"the names with @ are {', '.join(name.lower() for name in MACROS)}")


def _spec(parts: list[str], hash_key: str) -> CronSpec:
    second, minute, hour, day, month, weekday = parts if len(parts) == _WITH_SECONDS else ["0", *parts]
    days, weekdays = day.split(","), weekday.split(",")
    return CronSpec(
        seconds=_mask(SECOND, second.split(","), hash_key),
        minutes=_mask(MINUTE, minute.split(","), hash_key),
        hours=_mask(HOUR, hour.split(","), hash_key),
        days=_mask(DAY, [item for item in days if not _is_special_day(item)], hash_key),
        months=_mask(MONTH, month.split(","), hash_key),
        weekdays=_week(_mask(WEEKDAY, [item for item in weekdays if not _OF_WEEKDAY.fullmatch(item)], hash_key)),
        last_day="L" in days,
        last_workday="LW" in days,
        nearest_workdays=tuple(map(_nearest_workday, filter(_NEAREST_WORKDAY.fullmatch, days))),
        nth_weekdays=tuple(map(_nth_weekday, filter(_OF_WEEKDAY.fullmatch, weekdays))),
        meets_both_day_fields=day.startswith("*") or weekday.startswith("*"),
        follows_wall_clock=minute.startswith("*") or hour.startswith("*"),
    )


def _mask(field: Field, items: list[str], hash_key: str) -> int:
    mask = 0
    for item in items:
        mask |= field.mask(item, hash_key)
    return mask


def _week(mask: int) -> int:
    """Return the mask with Sunday at 0 alone."""
    return (mask | mask >> 7) & 0x7F


def _is_special_day(item: str) -> bool:
    return item in ("L", "LW") or _NEAREST_WORKDAY.fullmatch(item) is not None


def _nearest_workday(item: str) -> int:
    return DAY.value(item.removesuffix("W"), item)


def _nth_weekday(item: str) -> tuple[int, int]:
    match = _OF_WEEKDAY.fullmatch(item)
    assert match is not None, "the item was matched before"  # noqa: S101 - a mistake in this module
    weekday = WEEKDAY.value(match["weekday"] or match["last"], item) % 7
    return weekday, int(match["occurrence"] or LAST)


def _refusal(expression: str, reason: str) -> ConfigurationError:
    return ConfigurationError(f"cron '{expression}': {reason}", details={"cron": expression})
