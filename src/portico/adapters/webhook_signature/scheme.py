"""What every signature scheme does."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from portico.adapters.webhook_signature.signed_request import SignatureError, SignedRequest
from portico.exceptions import ConfigurationError

# each costs a hash of the whole body, and a stranger chooses how many there are
MAX_SIGNATURES = 10
MAX_TOLERANCE_SECONDS = 900


class Key(ABC):
    """What one secret became; compares in constant time, and no repr shows it."""

    @abstractmethod
    def matches(self, version: str, message: bytes, signature: bytes) -> bool:
        """Tell whether the signature, of the version that its header names, is of this message."""

    def sign(self, message: bytes) -> tuple[str, bytes]:
        """Return the version and the signature; only keys that hold a secret can."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class SignedParts:
    """What a sender adds when it signs: header fields, and for some a changed body or query."""

    body: bytes = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    query: str = field(default="", repr=False)


class SignatureScheme(ABC):
    """How a family of senders signs, described as data; holds no secret."""

    @property
    @abstractmethod
    def signature_header(self) -> str:
        """The field that carries the signature, or '' where it is in the body."""

    @property
    def covers_url(self) -> bool:
        """Whether the receiver has to know under which URL it is called."""
        return False

    @property
    def needs_secret(self) -> bool:
        """Whether anything can be verified without one."""
        return True

    def with_tolerance(self, seconds: int) -> Self:
        """Return the scheme with another tolerance.

        Raises:
            ConfigurationError: no time is signed.

        """
        raise ConfigurationError(f"tolerance_seconds={seconds} is not for a provider that signs no time")

    @abstractmethod
    def key(self, secret: str) -> Key:
        """Return what `verify` needs of a secret.

        Raises:
            ConfigurationError: it has not the form that this scheme needs; the message does not repeat it.

        """

    def signing_key(self, secret: str) -> Key:
        """Return what `sign` needs of a secret; another one than `key` where verifying takes a public key."""
        return self.key(secret)

    @abstractmethod
    def verify(self, request: SignedRequest, keys: Sequence[Key], now: datetime) -> Key:
        """Return the key that signed the request.

        Raises:
            SignatureError: none did, or it is too old, or it is malformed in any way.

        """

    @abstractmethod
    def sign(self, request: SignedRequest, key: Key, now: datetime) -> SignedParts:
        """Return what the sender would add; for tests and trials."""


def matching_key(keys: Sequence[Key], message: bytes, signatures: Iterable[tuple[str, bytes]]) -> Key:
    """Return the key that one of the signatures is of.

    Raises:
        SignatureError: there is none.

    """
    presented = list(signatures)
    if len(presented) > MAX_SIGNATURES:
        raise SignatureError("too_many_signatures")
    found: Key | None = None
    # all of them, whatever the first says: the time tells nothing about which key it was
    for key in keys:
        for version, signature in presented:
            if key.matches(version, message, signature):
                found = found or key
    if found is None:
        raise SignatureError("signature_mismatch")
    return found
