"""Where in a header field the signatures stand, and how they are written."""

import base64
import binascii
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum

from typing_extensions import override

from portico.adapters.webhook_signature.signed_request import SignatureError

_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
_NAMED = re.compile(r"([a-z0-9]{1,16})=(.+)")


class Encoding(Enum):
    """How the bytes of a signature are written."""

    HEX = "hex"
    BASE64 = "base64"
    TEXT = "text"

    def decode(self, text: str) -> bytes:
        """Return the bytes.

        Raises:
            SignatureError: the text is anything else.

        """
        if self is Encoding.TEXT:
            return text.encode("ascii")
        try:
            return _strict_hex(text) if self is Encoding.HEX else base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise SignatureError("signature_malformed") from None

    def encode(self, signature: bytes) -> str:
        """Return the text."""
        if self is Encoding.TEXT:
            return signature.decode()
        return signature.hex() if self is Encoding.HEX else base64.b64encode(signature).decode()


@dataclass(frozen=True, kw_only=True)
class Presented:
    """The signatures of a request with their versions, and the time that some fields carry too."""

    signatures: tuple[tuple[str, bytes], ...] = field(repr=False)
    timestamp: str | None = None


class Layout(ABC):
    """How a field is composed."""

    @property
    def carries_timestamp(self) -> bool:
        """Whether the time is in the field of the signatures."""
        return False

    @abstractmethod
    def read(self, value: str, encoding: Encoding) -> Presented:
        """Take the field apart.

        Raises:
            SignatureError: it is not composed so.

        """

    @abstractmethod
    def write(self, version: str, signature: str, timestamp: str) -> str:
        """Compose a field."""


@dataclass(frozen=True)
class SingleSignature(Layout):
    """One signature behind a fixed prefix: ``sha256=<hex>``."""

    prefix: str = ""

    @override
    def read(self, value: str, encoding: Encoding) -> Presented:
        if not value.startswith(self.prefix):
            raise SignatureError("signature_malformed")
        return Presented(signatures=(("", encoding.decode(value.removeprefix(self.prefix))),))

    @override
    def write(self, version: str, signature: str, timestamp: str) -> str:
        return f"{self.prefix}{signature}"


@dataclass(frozen=True)
class NamedSignature(Layout):
    """One signature behind the name of its hash: ``sha512=<hex>``."""

    @override
    def read(self, value: str, encoding: Encoding) -> Presented:
        named = _NAMED.fullmatch(value)
        if named is None:
            raise SignatureError("signature_malformed")
        return Presented(signatures=((named[1], encoding.decode(named[2])),))

    @override
    def write(self, version: str, signature: str, timestamp: str) -> str:
        return f"{version}={signature}"


@dataclass(frozen=True, kw_only=True)
class PairList(Layout):
    """Names and values with the time among them: ``t=1614265330,v1=<hex>,v1=<hex>,v0=<hex>``."""

    separator: str
    timestamp_name: str
    signature_name: str

    @property
    @override
    def carries_timestamp(self) -> bool:
        return True

    @override
    def read(self, value: str, encoding: Encoding) -> Presented:
        pairs = [pair.partition("=") for pair in value.split(self.separator)]
        times = [text for name, _, text in pairs if name == self.timestamp_name]
        found = [text for name, _, text in pairs if name == self.signature_name]
        if len(times) != 1 or not found:
            raise SignatureError("signature_malformed")
        return Presented(signatures=tuple(_readable(found, self.signature_name, encoding)), timestamp=times[0])

    @override
    def write(self, version: str, signature: str, timestamp: str) -> str:
        return f"{self.timestamp_name}={timestamp}{self.separator}{self.signature_name}={signature}"


@dataclass(frozen=True)
class VersionList(Layout):
    """Versions and signatures, separated by spaces: ``v1,<base64> v1a,<base64>``."""

    @override
    def read(self, value: str, encoding: Encoding) -> Presented:
        found: list[tuple[str, bytes]] = []
        for part in value.split(" "):
            version, _, text = part.partition(",")
            found += _readable([text], version, encoding)
        return Presented(signatures=tuple(found))

    @override
    def write(self, version: str, signature: str, timestamp: str) -> str:
        return f"{version},{signature}"


def _readable(texts: list[str], version: str, encoding: Encoding) -> list[tuple[str, bytes]]:
    """Return those that are signatures: of several, one that a receiver cannot read is a version to come."""
    readable: list[tuple[str, bytes]] = []
    for text in texts:
        try:
            readable.append((version, encoding.decode(text)))
        except SignatureError:
            continue
    return readable


def _strict_hex(text: str) -> bytes:
    if not _HEX.fullmatch(text):
        raise SignatureError("signature_malformed")
    return bytes.fromhex(text)
