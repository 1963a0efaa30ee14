"""A request as a signature sees it: bytes as they came, and header fields without any guessing."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from portico.exceptions import AuthenticationError

_VISIBLE = re.compile(rb"[\x20-\x7e]{1,4096}")


class SignatureError(AuthenticationError):
    """The request is not proven to be the sender's; the message is a short code for logs, never for the caller."""


class HeaderFields:
    """Header fields in their order; names are lower-case, as ASGI has them."""

    __slots__ = ("_first", "_repeated", "fields")

    def __init__(self, fields: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self.fields = fields
        self._first = dict(fields)
        self._repeated: frozenset[bytes] = frozenset()
        if len(self._first) < len(fields):
            self._first = dict(reversed(fields))
            self._repeated = frozenset(name for name, count in Counter(name for name, _ in fields).items() if count > 1)

    @classmethod
    def of(cls, **fields: str) -> Self:
        """Return fields whose names are written with underscores."""
        return cls([(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in fields.items()])

    def one(self, name: str) -> str | None:
        """Return the value of a field that is there once, or None.

        Raises:
            SignatureError: it is there twice, is empty, or is not visible ASCII.

        """
        key = name.encode()
        value = self._first.get(key)
        if value is None:
            return None
        if key in self._repeated:
            raise SignatureError("header_repeated")
        if not _VISIBLE.fullmatch(value):
            raise SignatureError("header_malformed")
        return value.decode("ascii")

    def required(self, name: str) -> str:
        """Return the value of a field.

        Raises:
            SignatureError: as `one`, and when it is missing.

        """
        value = self.one(name)
        if value is None:
            raise SignatureError("header_missing")
        return value

    def first(self, name: str) -> str | None:
        """Return the first value, whatever it is, or None; for fields that prove nothing."""
        value = self._first.get(name.encode())
        return None if value is None else value.decode("latin-1")

    def holds(self, name: str) -> bool:
        """Tell whether the field is there, well-formed or not."""
        return name.encode() in self._first


@dataclass(frozen=True, kw_only=True)
class SignedRequest:
    """What a signature may cover."""

    body: bytes = field(repr=False)
    headers: HeaderFields = field(default_factory=HeaderFields, repr=False)
    method: str = "POST"
    public_url: str = ""
    """The configured URL, without its query; never made from the request's own host."""
    query: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """The URL that the sender called."""
        return f"{self.public_url}?{self.query}" if self.query else self.public_url
