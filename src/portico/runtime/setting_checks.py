"""What may stand in the settings of triggers and schedules."""

from collections.abc import Sequence
from datetime import timedelta

from portico.exceptions import ConfigurationError, ValidationError
from portico.runtime.json_values import require_json, require_json_object

_MAX_PRIORITY = 2**31 - 1
_MAX_NAME_LENGTH = 255


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


def require_seconds(member: str, value: float) -> None:
    """Refuse what is not more than zero and finite."""
    if not 0 < value < float("inf"):
        raise ConfigurationError(f"{member} must be more than 0, not {value}")
