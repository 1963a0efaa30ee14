"""An authentic delivery, and where in it things are said."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from typing_extensions import override

from portico.adapters.webhook_signature.signed_request import HeaderFields
from portico.exceptions import ConfigurationError

MAX_DELIVERY_ID_LENGTH = 255


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One event of a source, after its signature was verified; what `filter` and `payload` are given."""

    source: str
    provider: str
    event: str | None
    """What happened, in the provider's words; None where the provider has none."""
    delivery_id: str | None
    """What identifies it at the provider; the same when it is delivered again."""
    data: Any = field(repr=False)
    """The decoded body, or one of the events in it where the provider sends several at once."""
    body: bytes = field(repr=False)
    """As it was sent, or was before it was compressed."""
    fields: HeaderFields = field(repr=False)

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """The header fields by lower-case name; unsigned by nearly all providers."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self.fields.fields}


@dataclass(frozen=True, kw_only=True)
class Received:
    """What a locator looks into."""

    headers: HeaderFields
    body: bytes = field(repr=False)
    data: Any = field(repr=False)
    place: int | None = None
    """Which of the events of the body `data` is, where there are several."""


class Locator(ABC):
    """A place in a delivery."""

    @property
    def headers(self) -> tuple[str, ...]:
        """The header fields that it looks at."""
        return ()

    @abstractmethod
    def find(self, received: Received) -> str | None:
        """Return what stands there, or None.

        Raises:
            SignatureError: a header field is there twice or malformed.

        """


@dataclass(frozen=True)
class Field(Locator):
    """A header field."""

    name: str

    @property
    @override
    def headers(self) -> tuple[str, ...]:
        return (self.name,)

    @override
    def find(self, received: Received) -> str | None:
        return received.headers.one(self.name)


@dataclass(frozen=True)
class Member(Locator):
    """A member of the data, by its path."""

    path: tuple[str, ...]

    @override
    def find(self, received: Received) -> str | None:
        value = received.data
        for name in self.path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, str):
            return value or None
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass(frozen=True)
class BodyHash(Locator):
    """The hash of the body: two equal bodies are one delivery."""

    @override
    def find(self, received: Received) -> str | None:
        digest = hashlib.sha256(received.body).hexdigest()
        return f"sha256-{digest}" if received.place is None else f"sha256-{digest}-{received.place}"


@dataclass(frozen=True)
class FirstOf(Locator):
    """The first place where anything stands."""

    locators: tuple[Locator, ...]

    @property
    @override
    def headers(self) -> tuple[str, ...]:
        return tuple(name for locator in self.locators for name in locator.headers)

    @override
    def find(self, received: Received) -> str | None:
        return next((found for locator in self.locators if (found := locator.find(received))), None)


@dataclass(frozen=True)
class Joined(Locator):
    """All places together, where something stands at each; for identities of two parts."""

    locators: tuple[Locator, ...]

    @property
    @override
    def headers(self) -> tuple[str, ...]:
        return tuple(name for locator in self.locators for name in locator.headers)

    @override
    def find(self, received: Received) -> str | None:
        found = [locator.find(received) for locator in self.locators]
        return None if None in found else " ".join(str(part) for part in found)


def member(path: str) -> Member:
    """Return the place that a dotted path names."""
    return Member(tuple(path.split(".")))


def parse_locator(text: str, setting: str) -> Locator:
    """Return the place that ``"header:X-Event"``, ``"body:order.id"`` or ``"body"`` (its hash) names.

    Raises:
        ConfigurationError: it is none of these; names `setting`.

    """
    kind, colon, where = text.partition(":")
    if text == "body":
        return BodyHash()
    if colon and where and kind == "header":
        return Field(where.lower())
    if colon and all(where.split(".")) and kind == "body":
        return member(where)
    raise ConfigurationError(
        f"{setting} must be 'header:NAME', 'body:path.to.member' or 'body' for its hash, not {text!r}"
    )
