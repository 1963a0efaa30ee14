"""Senders that prove nothing, where somebody has decided to believe them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn

from typing_extensions import override

from portico.adapters.webhook_signature.scheme import Key, SignatureScheme, SignedParts
from portico.adapters.webhook_signature.secrets import SecretUnavailableError
from portico.adapters.webhook_signature.signed_request import SignedRequest
from portico.exceptions import ConfigurationError


class _NoKey(Key):
    """Stands where a key would; proves nothing to anybody."""

    @override
    def matches(self, version: str, message: bytes, signature: bytes) -> bool:
        return False

    @override
    def sign(self, message: bytes) -> NoReturn:
        raise SecretUnavailableError("a source that verifies nothing has no secret to prove itself with")


class Unverified(SignatureScheme):
    """Believes everything."""

    @property
    @override
    def signature_header(self) -> str:
        return ""

    @property
    @override
    def needs_secret(self) -> bool:
        return False

    @override
    def key(self, secret: str) -> NoReturn:
        raise ConfigurationError("a source that verifies nothing takes no secret")

    @override
    def verify(self, request: SignedRequest, keys: Sequence[Key], now: datetime) -> Key:
        return _NoKey()

    @override
    def sign(self, request: SignedRequest, key: Key, now: datetime) -> SignedParts:
        return SignedParts(body=request.body)
