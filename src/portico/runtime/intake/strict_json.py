"""JSON that means one thing to everybody who reads it."""

import json
import math
from typing import Any, Literal, NoReturn

from portico.exceptions import ValidationError

MAX_DEPTH = 64
IntegerRange = Literal["int64", "any"]
DuplicateKeys = Literal["reject", "last"]
NulCharacter = Literal["reject", "replace"]

_BYTE_ORDER_MARK = "\ufeff"
_REPLACEMENT = "\ufffd"
_MIN_INTEGER = -(2**63)
_MAX_INTEGER = 2**63 - 1
_MAX_INTEGER_DIGITS = 20
# a payload holds no longer ones, and reading them takes longer than they are long
_MAX_ANY_INTEGER_DIGITS = 4_200


class StrictJson:
    """Reads JSON texts in UTF-8, and refuses what JSON libraries and databases read differently.

    Refused are NaN and infinities (also as ``1e400``), lone surrogates and a byte order mark, and

    Args:
        max_depth: more levels than these.
        integer_range: integers beyond 64 bits, unless ``"any"``: those of up to 4,200 digits.
        duplicate_keys: keys that repeat, unless the ``"last"`` counts.
        nul_character: the character NUL, unless U+FFFD replaces it.

    """

    def __init__(
        self,
        *,
        max_depth: int = MAX_DEPTH,
        integer_range: IntegerRange = "int64",
        duplicate_keys: DuplicateKeys = "reject",
        nul_character: NulCharacter = "reject",
    ) -> None:
        self._max_depth = max_depth
        self._make_object = dict if duplicate_keys == "last" else _object
        self._replaces_nul = nul_character == "replace"
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._make_object,
            parse_int=_integer if integer_range == "int64" else _any_integer,
            parse_float=_number,
            parse_constant=_constant,
        )

    def decode(self, body: bytes) -> Any:
        """Return the value of a text.

        Raises:
            ValidationError: names the rule, never the content.

        """
        text = _decode_text(body)
        try:
            value = self._decoder.decode(text)
        except json.JSONDecodeError as error:
            code = "invalid_json" if body.strip() else "empty_body"
            _refuse(f"{error.msg.rstrip(' :').lower()} at line {error.lineno} column {error.colno}", code)
        except RecursionError:
            self._refuse_depth()
        if "\\u" in text or text.count("[") + text.count("{") > self._max_depth:
            self._check(value, self._max_depth)
            return self._without_nul(value) if self._replaces_nul else value
        return value

    # only escapes can make these characters, and only brackets can make depth: most bodies are not walked
    def _check(self, value: Any, depth: int) -> None:
        if isinstance(value, str):
            self._check_text(value)
        elif isinstance(value, dict | list):
            if depth == 0:
                self._refuse_depth()
            for item in value if isinstance(value, list) else (*value, *value.values()):
                self._check(item, depth - 1)

    def _check_text(self, text: str) -> None:
        if "\0" in text and not self._replaces_nul:
            _refuse("a text holds the character NUL", "nul_character")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            _refuse("a text holds a lone surrogate", "invalid_unicode")

    def _without_nul(self, value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("\0", _REPLACEMENT)
        if isinstance(value, dict):
            # two keys may be one now
            return self._make_object([(self._without_nul(key), self._without_nul(item)) for key, item in value.items()])
        return [self._without_nul(item) for item in value] if isinstance(value, list) else value

    def _refuse_depth(self) -> NoReturn:
        _refuse(f"it is nested deeper than {self._max_depth} levels", "too_deep")


def decode_json(body: bytes) -> Any:
    """Return the value of a JSON text, read as strictly as can be.

    Raises:
        ValidationError: names the rule, never the content.

    """
    return _STRICTEST.decode(body)


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


def _any_integer(digits: str) -> int:
    if len(digits) > _MAX_ANY_INTEGER_DIGITS:
        _refuse(f"an integer has more than {_MAX_ANY_INTEGER_DIGITS:,} digits", "number_out_of_range")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        _refuse("a number is too large", "number_out_of_range")
    return value


def _constant(name: str) -> NoReturn:
    _refuse(f"{name} is not JSON")


def _refuse(rule: str, code: str = "invalid_json") -> NoReturn:
    # not chained: the decoder's error carries the whole text
    raise ValidationError(f"Request body is not valid JSON: {rule}", details={"code": code}) from None


_STRICTEST = StrictJson()
