"""What pydantic refused, as field paths and rules."""

from collections.abc import Sequence

import pydantic

_MAX_SHOWN = 10
_RULE_MAY_HOLD_VALUES = frozenset({"value_error", "assertion_error"})


def refusals(error: pydantic.ValidationError, path: str = "payload") -> list[str]:
    """Return one ``payload.items[3].price: rule`` for each refused place, never with a value."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return [f"{field_path(path, item['loc'])}: {_rule(item['type'], item['msg'])}" for item in found]


def refusal_text(error: pydantic.ValidationError, path: str = "payload") -> str:
    """Return the first refusals as one line."""
    found = refusals(error, path)
    more = len(found) - _MAX_SHOWN
    return "; ".join(found[:_MAX_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def field_path(path: str, segments: Sequence[int | str]) -> str:
    """Return the path that pydantic's location means."""
    return path + "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in segments)


def _rule(kind: str, message: str) -> str:
    # the words of a user's own validator may repeat what it was given
    return "refused by a validator" if kind in _RULE_MAY_HOLD_VALUES else message
