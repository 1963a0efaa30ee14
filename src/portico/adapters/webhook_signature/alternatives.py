"""Senders that sign in one of several ways."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from typing_extensions import override

from portico.adapters.webhook_signature.hmac_keys import STANDARD_SECRET_PREFIX, TokenKey
from portico.adapters.webhook_signature.scheme import Key, SignatureScheme, SignedParts
from portico.adapters.webhook_signature.signed_request import SignatureError, SignedRequest


@dataclass(frozen=True)
class FirstPresent(SignatureScheme):
    """Schemes that differ in the names of their fields: the first whose field is there counts, and no other."""

    schemes: tuple[SignatureScheme, ...]

    @property
    @override
    def signature_header(self) -> str:
        return self.schemes[0].signature_header

    @override
    def with_tolerance(self, seconds: int) -> Self:
        return replace(self, schemes=tuple(scheme.with_tolerance(seconds) for scheme in self.schemes))

    @override
    def key(self, secret: str) -> Key:
        return self.schemes[0].key(secret)

    @override
    def signing_key(self, secret: str) -> Key:
        return self.schemes[0].signing_key(secret)

    @override
    def verify(self, request: SignedRequest, keys: Sequence[Key], now: datetime) -> Key:
        for scheme in self.schemes:
            if request.headers.holds(scheme.signature_header):
                return scheme.verify(request, keys, now)
        raise SignatureError("header_missing")

    @override
    def sign(self, request: SignedRequest, key: Key, now: datetime) -> SignedParts:
        return self.schemes[0].sign(request, key, now)


@dataclass(frozen=True, kw_only=True)
class SignedOrToken(SignatureScheme):
    """A secret with the prefix `whsec_` signs, any other is a token; each counts for its own header alone."""

    signed: SignatureScheme
    token: SignatureScheme

    @property
    @override
    def signature_header(self) -> str:
        return self.signed.signature_header

    @override
    def with_tolerance(self, seconds: int) -> Self:
        return replace(self, signed=self.signed.with_tolerance(seconds))

    @override
    def key(self, secret: str) -> Key:
        return (self.signed if secret.startswith(STANDARD_SECRET_PREFIX) else self.token).key(secret)

    @override
    def verify(self, request: SignedRequest, keys: Sequence[Key], now: datetime) -> Key:
        tokens = [key for key in keys if isinstance(key, TokenKey)]
        signing = [key for key in keys if not isinstance(key, TokenKey)]
        # a source that knows a signing secret never falls back to the weaker token, unless it has both
        if signing and (request.headers.holds(self.signature_header) or not tokens):
            return self.signed.verify(request, signing, now)
        return self.token.verify(request, tokens, now)

    @override
    def sign(self, request: SignedRequest, key: Key, now: datetime) -> SignedParts:
        return (self.token if isinstance(key, TokenKey) else self.signed).sign(request, key, now)
