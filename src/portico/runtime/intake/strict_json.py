"""JSON that means one thing to everybody who reads it."""

import json
import math
from typing import Any, NoReturn

from portico.exceptions import ValidationError

MAX_DEPTH = 64
_BYTE_ORDER_MARK = "\ufeff"
_MIN_INTEGER = -(2**63)
_MAX_INTEGER = 2**63 - 1
_MAX_INTEGER_DIGITS = 20


def decode_json(body: bytes) -> Any:
    """Return the value of a JSON text in UTF-8, or refuse what JSON libraries and databases read differently.

    Refused are keys that repeat, NaN and infinities (also as ``1e400``), integers beyond 64 bits, lone surrogates, the
    character NUL, a byte order mark and more than 64 levels.

    Raises:
        ValidationError: names the rule, never the content.

    """
    text = _decode_text(body)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        code = "invalid_json" if body.strip() else "empty_body"
        _refuse(f"{error.msg.rstrip(' :').lower()} at line {error.lineno} column {error.colno}", code)
    except RecursionError:
        _refuse_depth()
    if "\\u" in text or text.count("[") + text.count("{") > MAX_DEPTH:
        _check(value, MAX_DEPTH)
    return value


def _decode_text(body: bytes) -> str:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        _refuse("it is not UTF-8", "invalid_unicode")
    if text.startswith(_BYTE_ORDER_MARK):
        _refuse("it begins with a byte order mark", "invalid_unicode")
    return text


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) != len(members):
        _refuse("a key appears twice in an object", "duplicate_key")
    return value


def _integer(digits: str) -> int:
    if len(digits) > _MAX_INTEGER_DIGITS or not _MIN_INTEGER <= (value := int(digits)) <= _MAX_INTEGER:
        _refuse("an integer has more than 64 bits", "number_out_of_range")
    return value


def _number(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        _refuse("a number is too large", "number_out_of_range")
    return value


def _constant(name: str) -> NoReturn:
    _refuse(f"{name} is not JSON")


# only escapes can make these characters, and only brackets can make depth: most bodies are not walked
def _check(value: Any, depth: int) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict | list):
        if depth == 0:
            _refuse_depth()
        for item in value if isinstance(value, list) else (*value, *value.values()):
            _check(item, depth - 1)


def _check_text(text: str) -> None:
    if "\0" in text:
        _refuse("a text holds the character NUL", "nul_character")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        _refuse("a text holds a lone surrogate", "invalid_unicode")


def _refuse_depth() -> NoReturn:
    _refuse(f"it is nested deeper than {MAX_DEPTH} levels", "too_deep")


def _refuse(rule: str, code: str = "invalid_json") -> NoReturn:
    # not chained: the decoder's error carries the whole text
    raise ValidationError(f"Request body is not valid JSON: {rule}", details={"code": code}) from None


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_constant
)
