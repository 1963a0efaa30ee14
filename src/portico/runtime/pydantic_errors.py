"""What pydantic refused, as field paths and rules."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pydantic

_MAX_SHOWN = 10
_MAX_PLACES = 20
_MAX_NAME_LENGTH = 80
_MAY_REPEAT_THE_VALUE = frozenset({"value_error", "assertion_error", "union_tag_invalid"})


def refusals(error: pydantic.ValidationError, path: str = "payload") -> list[str]:
    """Return one ``payload.items[3].price: rule`` for each refused place, never with a value."""
    return [_refusal(path, item) for item in error.errors(include_url=False)]


def refusal_text(error: pydantic.ValidationError, path: str = "payload") -> str:
    """Return the first refusals as one line."""
    found = error.errors(include_url=False)
    more = len(found) - _MAX_SHOWN
    shown = "; ".join(_refusal(path, item) for item in found[:_MAX_SHOWN])
    return shown + (f"; and {more} more" if more > 0 else "")


def refusal_places(error: pydantic.ValidationError, *path: str) -> list[dict[str, Any]]:
    """Return the first refusals for programs: where, which rule, and the rule in words; never with a value."""
    found = error.errors(include_url=False)[:_MAX_PLACES]
    return [{"loc": [*path, *map(_name, item["loc"])], "code": item["type"], "msg": _rule(item)} for item in found]


def field_path(path: str, segments: Sequence[int | str]) -> str:
    """Return the path that pydantic's location means; names that a stranger chose are shortened and escaped."""
    return path + "".join(_segment_text(segment) for segment in segments)


def _refusal(path: str, item: Any) -> str:
    return f"{field_path(path, item['loc'])}: {_rule(item)}"


def _segment_text(segment: int | str) -> str:
    if isinstance(segment, int):
        return f"[{segment}]"
    name = segment[:_MAX_NAME_LENGTH]
    return f".{name}" if name.isprintable() else f"[{name!a}]"


def _name(segment: int | str) -> int | str:
    return segment if isinstance(segment, int) else segment[:_MAX_NAME_LENGTH]


def _rule(item: Any) -> str:
    message: str = item["msg"]
    if item["type"] in _MAY_REPEAT_THE_VALUE:
        words = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
        return "refused by a validator" if _repeats(words, item["input"]) else words
    # behind the comma the parsers quote the character they stumbled over
    return message.partition(", ")[0] if "error" in item.get("ctx", {}) else message


def _repeats(words: str, value: Any) -> bool:
    return any(_holds(words.lower(), text.lower()) for text in _texts(value))


def _holds(words: str, text: str) -> bool:
    # the plain search first: a value may have a hundred thousand texts
    return text in words and re.search(rf"(?<!\w){re.escape(text)}(?!\w)", words) is not None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif value not in (None, True, False, ""):
        yield str(value)
