"""Schemes that sign a text made of the body, and of the time, the id or the URL."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Self

from typing_extensions import override

from portico.adapters.webhook_signature.hmac_keys import KeyFormat
from portico.adapters.webhook_signature.layouts import Encoding, Layout, Presented, SingleSignature
from portico.adapters.webhook_signature.scheme import Key, SignatureScheme, SignedParts, matching_key
from portico.adapters.webhook_signature.signed_request import SignatureError, SignedRequest
from portico.adapters.webhook_signature.timestamps import DEFAULT_TOLERANCE_SECONDS, require_fresh

# a dot would let the id borrow from what follows it
_IDENTIFIER = re.compile(r"[!-\-/-~]{1,255}")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_PLACEHOLDERS = frozenset({"body", "timestamp", "id", "url", "method"})


@dataclass(frozen=True, kw_only=True)
class TemplatedSignature(SignatureScheme):
    """One header field signs one template.

    Args:
        header: the field with the signature, in lower case.
        keys: how secrets are written, and which algorithm they are for.
        layout: how the field is composed.
        encoding: how the signature is written.
        template: what is signed; ``{body}``, ``{timestamp}``, ``{id}``, ``{url}`` and ``{method}`` stand for the bytes.
        timestamp_header: the field with the time, where it is not in `layout`.
        timestamp_per_second: 1, or 1000 for a time in milliseconds.
        tolerance_seconds: how far the time may be off, either way.
        id_header: the field that ``{id}`` stands for.
        decoded_in_url: escapes of the URL that the sender signs decoded.

    """

    header: str
    keys: KeyFormat
    layout: Layout = field(default_factory=SingleSignature)
    encoding: Encoding = Encoding.HEX
    template: str = "{body}"
    timestamp_header: str | None = None
    timestamp_per_second: int = 1
    tolerance_seconds: int = DEFAULT_TOLERANCE_SECONDS
    id_header: str | None = None
    decoded_in_url: Mapping[str, str] | None = None

    @property
    @override
    def signature_header(self) -> str:
        return self.header

    @property
    @override
    def covers_url(self) -> bool:
        return ("url", True) in self._parts

    @property
    def has_timestamp(self) -> bool:
        """Whether old requests are refused."""
        return self.timestamp_header is not None or self.layout.carries_timestamp

    @override
    def with_tolerance(self, seconds: int) -> Self:
        return replace(self, tolerance_seconds=seconds) if self.has_timestamp else super().with_tolerance(seconds)

    @override
    def key(self, secret: str) -> Key:
        return self.keys.key(secret)

    @override
    def signing_key(self, secret: str) -> Key:
        return self.keys.signing_key(secret)

    @override
    def verify(self, request: SignedRequest, keys: Sequence[Key], now: datetime) -> Key:
        presented = self.layout.read(request.headers.required(self.header), self.encoding)
        values = {"id": self._identifier(request)}
        if self.has_timestamp:
            values["timestamp"] = self._timestamp(request, presented)
            require_fresh(values["timestamp"], now, self.tolerance_seconds, per_second=self.timestamp_per_second)
        return matching_key(keys, self._message(request, values), presented.signatures)

    @override
    def sign(self, request: SignedRequest, key: Key, now: datetime) -> SignedParts:
        timestamp = str(int(now.timestamp() * self.timestamp_per_second))
        values = {"id": self._identifier(request), "timestamp": timestamp}
        version, signature = key.sign(self._message(request, values))
        headers = {self.header: self.layout.write(version, self.encoding.encode(signature), timestamp)}
        if self.timestamp_header is not None:
            headers[self.timestamp_header] = timestamp
        return SignedParts(body=request.body, headers=headers)

    def _timestamp(self, request: SignedRequest, presented: Presented) -> str:
        if self.timestamp_header is None:
            return presented.timestamp or ""
        return request.headers.required(self.timestamp_header)

    def _identifier(self, request: SignedRequest) -> str:
        if self.id_header is None:
            return ""
        identifier = request.headers.required(self.id_header)
        if not _IDENTIFIER.fullmatch(identifier):
            raise SignatureError("id_malformed")
        return identifier

    @cached_property
    def _parts(self) -> tuple[tuple[str, bool], ...]:
        """The template, cut into texts and placeholders, which are true."""
        return tuple((part, bool(place % 2)) for place, part in enumerate(_PLACEHOLDER.split(self.template)) if part)

    def _message(self, request: SignedRequest, values: Mapping[str, str]) -> bytes:
        return b"".join([self._piece(part, request, values) if named else part.encode() for part, named in self._parts])

    def _piece(self, name: str, request: SignedRequest, values: Mapping[str, str]) -> bytes:
        return request.body if name == "body" else self._value(name, request, values).encode()

    def _value(self, name: str, request: SignedRequest, values: Mapping[str, str]) -> str:
        if name == "method":
            return request.method
        return self._url(request) if name == "url" else values[name]

    def _url(self, request: SignedRequest) -> str:
        if not self.decoded_in_url:
            return request.url
        return re.sub(r"%[0-9A-Fa-f]{2}", lambda escape: self._decoded(escape[0]), request.url)

    def _decoded(self, escape: str) -> str:
        return (self.decoded_in_url or {}).get(escape.upper(), escape)


def unknown_placeholders(template: str) -> list[str]:
    """Return the names in a template that stand for nothing."""
    return sorted(set(_PLACEHOLDER.findall(template)) - _PLACEHOLDERS)
