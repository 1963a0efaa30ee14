"""Keys of secrets that sender and receiver share."""

import base64
import binascii
import hashlib
import hmac
from abc import ABC, abstractmethod
from dataclasses import dataclass

from typing_extensions import override

from portico.adapters.webhook_signature.scheme import Key
from portico.exceptions import ConfigurationError

STANDARD_SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix that says what follows
# the specification says 64, and Svix hands out longer ones
_STANDARD_SECRET_BYTES = range(24, 76)


class HmacKey(Key):
    """Signs with HMAC; of several versions of one sender it answers for its own."""

    def __init__(self, secret: bytes, algorithm: str = "sha256", version: str = "") -> None:
        # what of the computation is the key's alone is done once
        self._started = hmac.new(secret, digestmod=algorithm)
        self._version = version

    @override
    def matches(self, version: str, message: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(self._digest(message), signature) and version == self._version

    @override
    def sign(self, message: bytes) -> tuple[str, bytes]:
        return self._version, self._digest(message)

    def _digest(self, message: bytes) -> bytes:
        signing = self._started.copy()
        signing.update(message)
        return signing.digest()


class NamedAlgorithmKey(Key):
    """Signs with the hash that the signature names, out of a list; the sender chooses."""

    def __init__(self, secret: bytes, algorithms: tuple[str, ...]) -> None:
        self._secret = secret
        self._algorithms = algorithms

    @override
    def matches(self, version: str, message: bytes, signature: bytes) -> bool:
        if version not in self._algorithms:
            return False
        return hmac.compare_digest(hmac.digest(self._secret, message, version), signature)

    @override
    def sign(self, message: bytes) -> tuple[str, bytes]:
        return self._algorithms[0], hmac.digest(self._secret, message, self._algorithms[0])


class TokenKey(Key):
    """Compares a text that the sender repeats; both are hashed first, so that the length is no secret's."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._hash = hashlib.sha256(token.encode()).digest()

    @override
    def matches(self, version: str, message: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(hashlib.sha256(signature).digest(), self._hash)

    @override
    def sign(self, message: bytes) -> tuple[str, bytes]:
        return "", self._token.encode()


class KeyFormat(ABC):
    """How a provider writes its secrets."""

    @abstractmethod
    def key(self, secret: str) -> Key:
        """Return the key that verifies.

        Raises:
            ConfigurationError: the secret is not of this form.

        """

    def signing_key(self, secret: str) -> Key:
        """Return the key that signs."""
        return self.key(secret)


@dataclass(frozen=True)
class SharedText(KeyFormat):
    """The secret's own UTF-8 is the key of an HMAC."""

    algorithm: str = "sha256"
    version: str = ""

    @override
    def key(self, secret: str) -> Key:
        return HmacKey(secret.encode(), self.algorithm, self.version)


@dataclass(frozen=True)
class SharedTextOfNamedAlgorithm(KeyFormat):
    """As `SharedText`, where the header names one of these hashes."""

    algorithms: tuple[str, ...]

    @override
    def key(self, secret: str) -> Key:
        return NamedAlgorithmKey(secret.encode(), self.algorithms)


def standard_webhooks_key(secret: str) -> HmacKey:
    """Return the key of a `whsec_` secret, whose prefix and padding may be left out.

    Raises:
        ConfigurationError: it is not base64, or not of 24 to 75 bytes.

    """
    encoded = secret.removeprefix(STANDARD_SECRET_PREFIX).rstrip("=")
    try:
        decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        # not chained: the error of the decoder holds what it decoded
        raise ConfigurationError("a secret of Standard Webhooks is 'whsec_' and base64; this one is not") from None
    if len(decoded) not in _STANDARD_SECRET_BYTES:
        raise ConfigurationError(f"a secret of Standard Webhooks has 24 to 75 bytes; this one has {len(decoded)}")
    return HmacKey(decoded, version="v1")
