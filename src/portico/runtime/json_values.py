"""What is JSON, and where in a value something is not."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from portico.exceptions import ValidationError

MAX_DEPTH = 100
"""Beyond any real document, and far below the interpreter's recursion limit."""
_MAX_INTEGER_BITS = 14_000
"""Just under the 4,300 digits that Python converts to text."""
_MAX_KEY_LENGTH = 80
_NUMBERS = frozenset({bool, int, float})
_LARGE = 1e300
_MANY = 1_000_000
_TEXT = frozenset({str})


class _NotJsonError(Exception):
    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule
        self.segments: list[str | int] = []


def require_json(value: object, path: str = "payload") -> None:
    """Refuse what ``json.loads(json.dumps(value))`` would not give back, and what a store could not keep.

    A tuple passes, and comes back as a list.

    Raises:
        ValidationError: names the place and the rule, never the value: ``payload.items[3].price: NaN is not JSON``.

    """
    if _is_surely_json(value):
        return
    try:
        _check(value, MAX_DEPTH)
    except _NotJsonError as error:
        place = path_text(path, error.segments[::-1])
        raise ValidationError(f"{place}: {error.rule}", details={"path": place, "rule": error.rule}) from None


def require_json_object(value: object, path: str = "payload") -> None:
    """Refuse what is not a JSON object."""
    if not isinstance(value, dict):
        rule = f"{_type_name(value)} is not a JSON object"
        raise ValidationError(f"{path}: {rule}", details={"path": path, "rule": rule})
    require_json(value, path)


def path_text(path: str, segments: Iterable[str | int]) -> str:
    """Return the way into a value, as in ``payload.items[3]["odd name"]``; long names are cut."""
    return path + "".join(_segment_text(segment) for segment in segments)


def _is_surely_json(value: object) -> bool:
    """Tell it of what is plain, as nearly everything is, in a fraction of the time: level by level, without places."""
    level: list[Any] = [value]
    seen = 0
    for _ in range(MAX_DEPTH):
        below = _below_plain(level)
        if not below:
            return below is not None
        seen += len(below)
        # a list that holds itself twice has twice as much on each level
        if seen > _MANY:
            break
        level = below
    return False


def _below_plain(level: Iterable[Any]) -> list[Any] | None:
    """Return what the values hold, or None where one of them is not plain."""
    below: list[Any] = []
    for each in level:
        kind, is_fine = type(each), True
        if kind is str:
            is_fine = each.isascii()
        elif kind in _NUMBERS:
            is_fine = -_LARGE < each < _LARGE
        elif kind is dict:
            is_fine = _TEXT.issuperset(map(type, each)) and "".join(each).isascii()
            below += each.values()
        elif kind is list:
            below += each
        else:
            is_fine = each is None
        if not is_fine:
            return None
    return below


def _check(value: object, depth: int) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        _check_members(value, depth)
    elif isinstance(value, list | tuple):
        _check_items(value, depth)
    else:
        _check_number(value)


def _check_number(value: object) -> None:
    if isinstance(value, int):
        if value.bit_length() > _MAX_INTEGER_BITS:
            raise _NotJsonError("the integer is too long")
        return
    if not isinstance(value, float):
        raise _NotJsonError(f"{_type_name(value)} is not JSON")
    if math.isnan(value):
        raise _NotJsonError("NaN is not JSON")
    if math.isinf(value):
        raise _NotJsonError("infinity is not JSON")


def _check_text(value: str) -> None:
    if value.isascii():
        return
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _NotJsonError("the text holds a lone surrogate") from None


def _check_members(value: dict[Any, Any], depth: int) -> None:
    _check_depth(depth)
    for key, member in value.items():
        _check_key(key)
        try:
            _check(member, depth - 1)
        except _NotJsonError as error:
            error.segments.append(key)
            raise


def _check_items(value: Sequence[Any], depth: int) -> None:
    _check_depth(depth)
    for index, item in enumerate(value):
        try:
            _check(item, depth - 1)
        except _NotJsonError as error:
            error.segments.append(index)
            raise


def _check_key(key: object) -> None:
    if not isinstance(key, str):
        raise _NotJsonError(f"a key of type {_type_name(key)} is not a string")
    try:
        _check_text(key)
    except _NotJsonError:
        raise _NotJsonError("a key holds a lone surrogate") from None


def _check_depth(depth: int) -> None:
    if depth <= 0:
        raise _NotJsonError(f"circular, or nested deeper than {MAX_DEPTH} levels")


def _segment_text(segment: str | int) -> str:
    if isinstance(segment, int):
        return f"[{segment}]"
    name = str.__str__(segment)
    if name.isidentifier() and len(name) <= _MAX_KEY_LENGTH:
        return f".{name}"
    return f"[{name[:_MAX_KEY_LENGTH]!r}]"


def _type_name(value: object) -> str:
    return type(value).__name__
