"""Mailgun puts its signature into the body, and signs the time and a token: not the event."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self
from uuid import uuid4

from typing_extensions import override

from portico.adapters.webhook_signature.hmac_keys import HmacKey
from portico.adapters.webhook_signature.layouts import Encoding
from portico.adapters.webhook_signature.scheme import Key, SignatureScheme, SignedParts, matching_key
from portico.adapters.webhook_signature.signed_request import SignatureError, SignedRequest
from portico.adapters.webhook_signature.timestamps import require_fresh
from portico.exceptions import ValidationError
from portico.runtime.intake.strict_json import decode_json

_MAX_TOKEN_LENGTH = 100


@dataclass(frozen=True, kw_only=True)
class MailgunSignature(SignatureScheme):
    """HMAC-SHA256 of ``timestamp + token`` in hexadecimal, in the member `signature`."""

    tolerance_seconds: int = 300

    @property
    @override
    def signature_header(self) -> str:
        return ""

    @override
    def with_tolerance(self, seconds: int) -> Self:
        return replace(self, tolerance_seconds=seconds)

    @override
    def key(self, secret: str) -> Key:
        return HmacKey(secret.encode())

    @override
    def verify(self, request: SignedRequest, keys: Sequence[Key], now: datetime) -> Key:
        signed = _signature_member(request.body)
        timestamp, token, signature = (_text(signed, name) for name in ("timestamp", "token", "signature"))
        require_fresh(timestamp, now, self.tolerance_seconds)
        if len(token) > _MAX_TOKEN_LENGTH or not token.isascii():
            raise SignatureError("id_malformed")
        return matching_key(keys, (timestamp + token).encode(), [("", Encoding.HEX.decode(signature))])

    @override
    def sign(self, request: SignedRequest, key: Key, now: datetime) -> SignedParts:
        timestamp, token = str(int(now.timestamp())), uuid4().hex + uuid4().hex[:18]
        _, signature = key.sign((timestamp + token).encode())
        member = {"timestamp": timestamp, "token": token, "signature": signature.hex()}
        return SignedParts(body=json.dumps({**json.loads(request.body), "signature": member}).encode())


def _signature_member(body: bytes) -> dict[str, Any]:
    try:
        value = decode_json(body)
    except ValidationError:
        raise SignatureError("body_malformed") from None
    member = value.get("signature") if isinstance(value, dict) else None
    if not isinstance(member, dict):
        raise SignatureError("signature_missing")
    return member


def _text(member: dict[str, Any], name: str) -> str:
    value = member.get(name)
    if not isinstance(value, str):
        raise SignatureError("signature_malformed")
    return value
