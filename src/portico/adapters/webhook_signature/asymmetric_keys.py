"""Keys of which the receiver holds the public half; they need the extra `signatures`."""

import base64
import binascii
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from typing_extensions import override

from portico.adapters.webhook_signature.hmac_keys import KeyFormat, standard_webhooks_key
from portico.adapters.webhook_signature.scheme import Key
from portico.exceptions import ConfigurationError, MissingExtraError

PUBLIC_KEY_PREFIX = "whpk_"
PRIVATE_KEY_PREFIX = "whsk_"
_ED25519_KEY_BYTES = 32


class Ed25519Key(Key):
    """Verifies with a public key."""

    def __init__(self, public_key: bytes, version: str = "") -> None:
        self._version = version
        self._public_key = _library().ed25519.Ed25519PublicKey.from_public_bytes(public_key)

    @override
    def matches(self, version: str, message: bytes, signature: bytes) -> bool:
        return version == self._version and _verifies(self._public_key, signature, message)


class Ed25519SigningKey(Key):
    """Signs with a private key, of which the first 32 bytes count; verifies nothing."""

    def __init__(self, private_key: bytes, version: str = "") -> None:
        self._version = version
        self._private_key = _library().ed25519.Ed25519PrivateKey.from_private_bytes(private_key[:_ED25519_KEY_BYTES])

    @override
    def matches(self, version: str, message: bytes, signature: bytes) -> bool:
        return False

    @override
    def sign(self, message: bytes) -> tuple[str, bytes]:
        return self._version, self._private_key.sign(message)


class EcdsaKey(Key):
    """Verifies with a public key on P-256, and signs where it is given a private one."""

    def __init__(self, key: Any) -> None:
        self._key = key

    @override
    def matches(self, version: str, message: bytes, signature: bytes) -> bool:
        return _verifies(self._key, signature, message, _ecdsa_sha256())

    @override
    def sign(self, message: bytes) -> tuple[str, bytes]:
        signature: bytes = self._key.sign(message, _ecdsa_sha256())
        return "", signature


class HexEd25519(KeyFormat):
    """A public key of 32 bytes in hexadecimal."""

    @override
    def key(self, secret: str) -> Key:
        return Ed25519Key(_key_bytes(_from_hex(secret), "64 hexadecimal digits"))

    @override
    def signing_key(self, secret: str) -> Key:
        return Ed25519SigningKey(_from_hex(secret))


class Base64P256(KeyFormat):
    """A public key on P-256 as base64 of its DER form, as the providers' pages show it."""

    @override
    def key(self, secret: str) -> Key:
        return EcdsaKey(_on_p256(_library().serialization.load_der_public_key, _from_base64(secret)))

    @override
    def signing_key(self, secret: str) -> Key:
        return EcdsaKey(
            _on_p256(lambda der: _library().serialization.load_der_private_key(der, None), _from_base64(secret))
        )


class StandardWebhooksKeys(KeyFormat):
    """`whsec_` is a shared secret and signs as v1; `whpk_` is a public key and verifies v1a."""

    @override
    def key(self, secret: str) -> Key:
        if not secret.startswith(PUBLIC_KEY_PREFIX):
            return standard_webhooks_key(secret)
        public_key = _from_base64(secret.removeprefix(PUBLIC_KEY_PREFIX))
        return Ed25519Key(_key_bytes(public_key, "'whpk_' and base64 of 32 bytes"), version="v1a")

    @override
    def signing_key(self, secret: str) -> Key:
        if not secret.startswith(PRIVATE_KEY_PREFIX):
            return standard_webhooks_key(secret)
        return Ed25519SigningKey(_from_base64(secret.removeprefix(PRIVATE_KEY_PREFIX)), version="v1a")


def _verifies(public_key: Any, signature: bytes, message: bytes, *algorithm: Any) -> bool:
    try:
        public_key.verify(signature, message, *algorithm)
    except _library().invalid_signature:
        return False
    return True


def _on_p256(load: Callable[[bytes], Any], der: bytes) -> Any:
    try:
        key = load(der)
    except ValueError:
        raise ConfigurationError("a key of this provider is in DER form; this one is not") from None
    if not isinstance(getattr(key, "curve", None), _library().ec.SECP256R1):
        raise ConfigurationError("a key of this provider is on the curve P-256; this one is not")
    return key


def _ecdsa_sha256() -> Any:
    return _library().ec.ECDSA(_library().hashes.SHA256())


def _key_bytes(decoded: bytes, form: str) -> bytes:
    if len(decoded) != _ED25519_KEY_BYTES:
        raise ConfigurationError(f"a public key of this provider is {form}; this one has {len(decoded)} bytes")
    return decoded


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ConfigurationError("a key of this provider is hexadecimal; this one is not") from None


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ConfigurationError("a key of this provider is base64; this one is not") from None


class _Library(NamedTuple):
    ec: Any
    ed25519: Any
    hashes: Any
    serialization: Any
    invalid_signature: type[Exception]


@cache
def _library() -> _Library:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    except ImportError as error:
        raise MissingExtraError("verifying with a public key", "signatures", cause=error) from error
    return _Library(ec, ed25519, hashes, serialization, InvalidSignature)
