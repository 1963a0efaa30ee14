"""The headers of a request, read once."""

from collections.abc import Iterable, Sequence
from itertools import chain

from portico.adapters.http.problems import Refusal
from portico.adapters.webhook_signature.signed_request import HeaderFields

# the colon, the space and the end of a line
_PUNCTUATION_BYTES = 4
_CLOSE = {"Connection": "close"}


class Head(HeaderFields):
    """The header fields of a request.

    Raises:
        Refusal: 431, there are more fields or bytes than allowed.

    """

    __slots__ = ()

    def __init__(self, fields: Sequence[tuple[bytes, bytes]], *, max_bytes: int, max_fields: int) -> None:
        size = sum(map(len, chain.from_iterable(fields))) + _PUNCTUATION_BYTES * len(fields)
        if size > max_bytes or len(fields) > max_fields:
            raise Refusal(431, "Request headers are too large", code="headers_too_large", headers=_CLOSE)
        super().__init__(fields)

    def get(self, name: bytes) -> str | None:
        """Return the first value of a field, or None; bytes beyond ASCII become their Latin-1 characters."""
        value = self._first.get(name)
        return None if value is None else value.decode("latin-1")

    def only(self, name: bytes) -> str | None:
        """Return the value of a field, or None; of several fields all, as no single value reads."""
        value = self.get(name)
        return f"{value}, ..." if name in self._repeated else value

    def is_repeated(self, name: bytes) -> bool:
        """Tell whether the field was sent more than once."""
        return name in self._repeated

    def __contains__(self, name: bytes) -> bool:
        return name in self._first

    def items(self) -> Iterable[tuple[bytes, bytes]]:
        """Return names and first values."""
        return self._first.items()


def first_value(raw: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """Return the first value of a field, or None, without reading the others."""
    for each, value in raw:
        if each == name:
            return value.decode("latin-1")
    return None
