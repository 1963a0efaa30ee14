"""Cron expressions: five fields, or six with the seconds first, read as Debian's cron reads them.

cronsim evaluates them, behind `next_after`; nothing else knows of it.
"""

import re
from datetime import UTC, datetime, tzinfo

from cronsim import CronSim, CronSimError

from portico.exceptions import ConfigurationError

_FIELDS = (
    ("second", "0-59"),
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of month", "1-31, L or LW"),
    ("month", "1-12 or JAN-DEC"),
    ("day of week", "0-7 or SUN-SAT; 0 and 7 are Sunday"),
)
_WITHOUT_SECONDS = 5
_MAX_LENGTH = 1_000
_SAMPLE_START = datetime(2000, 1, 1, tzinfo=UTC)
# cronsim reads 3-3/2 as 3/2, cron as 3
_ONE_VALUE_WITH_STEP = re.compile(r"(?<![\w-])(\w+)-\1/0*[1-9]\d*")


def canonical_cron(expression: str) -> str:
    """Return the expression in one spelling: upper case, one space between fields.

    Raises:
        ConfigurationError: it is not an expression, or one that never fires; names the expression, the field and the
            item in it.

    """
    _require_text(expression)
    _require_fields(expression)
    canonical = " ".join(_ONE_VALUE_WITH_STEP.sub(r"\1", expression).upper().split())
    if next_after(canonical, UTC, _SAMPLE_START) is None:
        day, month, weekday = canonical.split()[-3:]
        raise _refusal(
            expression, f"it never fires: day of month '{day}', month '{month}', day of week '{weekday}' never meet"
        )
    return canonical


def next_after(expression: str, zone: tzinfo, instant: datetime) -> datetime | None:
    """Return the first tick after the aware `instant`, in UTC, or None when there is none in the next 50 years."""
    try:
        local = instant.astimezone(UTC if str(zone) == "UTC" else zone)
        for tick in CronSim(expression, local):
            # begun in the second pass of an hour that repeats, cronsim returns a tick of the first
            if (found := tick.astimezone(UTC)) > instant:
                return found
    except (CronSimError, OverflowError):
        return None  # an impossible date, or beyond the year 9999
    return None


def _require_text(expression: str) -> None:
    if not isinstance(expression, str) or not expression.strip():
        raise ConfigurationError(f"cron must be an expression such as '0 9 * * *', not {expression!r}")
    if len(expression) > _MAX_LENGTH:
        raise ConfigurationError(f"cron is longer than {_MAX_LENGTH} characters")
    if not expression.isascii():
        raise _refusal(expression, "only ASCII digits, letters and spaces are allowed")
    if expression.strip().lower() == "@reboot":
        raise _refusal(expression, "a start of the process is no point in time; create such a job where you start")
    if expression.strip().startswith("@"):
        raise _refusal(expression, "names with @ are not supported; write the fields, for example '0 0 * * *'")


def _require_fields(expression: str) -> None:
    parts = expression.split()
    if len(parts) not in (_WITHOUT_SECONDS, len(_FIELDS)):
        wanted = "5 (minute, hour, day of month, month, day of week) or 6 (second first)"
        raise _refusal(expression, f"it has {len(parts)} fields, and {wanted} are needed")
    for position, part in enumerate(parts, start=len(_FIELDS) - len(parts)):
        for item in part.split(","):
            _require_item(expression, position, item)


def _require_item(expression: str, position: int, item: str) -> None:
    alone = ["*"] * len(_FIELDS)
    alone[position] = item
    if not item or not _is_accepted(" ".join(alone)):
        name, allowed = _FIELDS[position]
        raise _refusal(expression, f"{name} has the item '{item}'; allowed are {allowed}")


def _is_accepted(expression: str) -> bool:
    try:
        CronSim(expression, _SAMPLE_START)
    except CronSimError:
        return False
    return True


def _refusal(expression: str, reason: str) -> ConfigurationError:
    return ConfigurationError(f"cron '{expression}': {reason}", details={"cron": expression})
