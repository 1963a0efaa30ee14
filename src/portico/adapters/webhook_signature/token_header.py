"""Senders that repeat a token: it says who calls, and nothing about what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from typing_extensions import override

from portico.adapters.webhook_signature.hmac_keys import TokenKey
from portico.adapters.webhook_signature.scheme import Key, SignatureScheme, SignedParts, matching_key
from portico.adapters.webhook_signature.signed_request import SignatureError, SignedRequest


@dataclass(frozen=True, kw_only=True)
class TokenHeader(SignatureScheme):
    """A field holds the token, behind a prefix whose case does not matter."""

    header: str
    prefix: str = ""

    @property
    @override
    def signature_header(self) -> str:
        return self.header

    @override
    def key(self, secret: str) -> Key:
        return TokenKey(secret)

    @override
    def verify(self, request: SignedRequest, keys: Sequence[Key], now: datetime) -> Key:
        value = request.headers.required(self.header)
        if not value.lower().startswith(self.prefix.lower()):
            raise SignatureError("signature_malformed")
        return matching_key(keys, b"", [("", value[len(self.prefix) :].encode())])

    @override
    def sign(self, request: SignedRequest, key: Key, now: datetime) -> SignedParts:
        _, repeated = key.sign(b"")
        return SignedParts(body=request.body, headers={self.header: self.prefix + repeated.decode()})
