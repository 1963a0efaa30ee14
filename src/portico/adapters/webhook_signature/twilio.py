"""Twilio signs the URL, and a form's fields or the hash of any other body."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import SplitResult, parse_qsl, urlsplit

from typing_extensions import override

from portico.adapters.webhook_signature.hmac_keys import HmacKey
from portico.adapters.webhook_signature.layouts import Encoding
from portico.adapters.webhook_signature.scheme import Key, SignatureScheme, SignedParts, matching_key
from portico.adapters.webhook_signature.signed_request import SignatureError, SignedRequest

_HEADER = "x-twilio-signature"
_BODY_HASH = "bodySHA256"
_MAX_FIELDS = 1_000
_DEFAULT_PORTS = {"https": 443, "http": 80}
FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class TwilioSignature(SignatureScheme):
    """HMAC-SHA1 in base64; Twilio signs with or without the port, so both spellings of one URL count."""

    @property
    @override
    def signature_header(self) -> str:
        return _HEADER

    @property
    @override
    def covers_url(self) -> bool:
        return True

    @override
    def key(self, secret: str) -> Key:
        return HmacKey(secret.encode(), "sha1")

    @override
    def verify(self, request: SignedRequest, keys: Sequence[Key], now: datetime) -> Key:
        signature = Encoding.BASE64.decode(request.headers.required(_HEADER))
        suffix = self._suffix(request)
        found: Key | None = None
        mismatch = SignatureError("signature_mismatch")
        for url in _spellings(request.url):
            try:
                found = matching_key(keys, (url + suffix).encode(), [("", signature)])
            except SignatureError as error:
                mismatch = error
        if found is None:
            raise mismatch
        return found

    @override
    def sign(self, request: SignedRequest, key: Key, now: datetime) -> SignedParts:
        query = request.query
        if not _is_form(request):
            query += ("&" if query else "") + f"{_BODY_HASH}={hashlib.sha256(request.body).hexdigest()}"
        url = f"{request.public_url}?{query}" if query else request.public_url
        _, signature = key.sign((url + (_signed_fields(request.body) if _is_form(request) else "")).encode())
        return SignedParts(body=request.body, headers={_HEADER: Encoding.BASE64.encode(signature)}, query=query)

    def _suffix(self, request: SignedRequest) -> str:
        if _is_form(request):
            return _signed_fields(request.body)
        hashes = [value for name, value in parse_qsl(request.query) if name == _BODY_HASH]
        computed = hashlib.sha256(request.body).hexdigest().encode()
        # without the hash in the URL nothing of such a body would be signed
        if len(hashes) != 1 or not hmac.compare_digest(hashes[0].encode(), computed):
            raise SignatureError("body_hash_mismatch")
        return ""


def _is_form(request: SignedRequest) -> bool:
    declared = request.headers.one("content-type") or ""
    return declared.partition(";")[0].strip().lower() == FORM_TYPE


def _signed_fields(body: bytes) -> str:
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise SignatureError("form_malformed") from None
    # a name and its value stand once, however often they are sent
    return "".join(name + value for name, value in sorted(set(pairs)))


def _spellings(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return _with_host(parts, ""), _with_host(parts, f":{parts.port or _DEFAULT_PORTS[parts.scheme]}")


def _with_host(parts: SplitResult, port: str) -> str:
    credentials, at, host = parts.netloc.rpartition("@")
    name = host if parts.port is None else host.rpartition(":")[0]
    # not geturl(), which would tidy up what Twilio signed as it was
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{credentials}{at}{name}{port}{parts.path}{query}"
