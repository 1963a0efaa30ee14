"""Deliveries as the providers of webhooks sign them."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode
from uuid import uuid4

from portico.adapters.webhook_signature.generic import HmacSignature
from portico.adapters.webhook_signature.scheme import SignatureScheme
from portico.adapters.webhook_signature.schemes import SCHEMES
from portico.adapters.webhook_signature.signed_request import HeaderFields, SignedRequest
from portico.exceptions import ConfigurationError

_FORM = "application/x-www-form-urlencoded"

ResponseT_co = TypeVar("ResponseT_co", covariant=True)


@dataclass(frozen=True, kw_only=True)
class SignedDelivery:
    """A request that its receiver will believe; send it with POST."""

    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    query: str = ""
    """What belongs behind the path, without the question mark; for providers that sign it there."""


class HttpClient(Protocol[ResponseT_co]):
    """What `send_signed` needs of a client; `httpx.AsyncClient` has it."""

    async def post(self, url: str, *, content: bytes, headers: dict[str, str]) -> ResponseT_co:
        """Send a request."""
        ...


def sign(  # noqa: PLR0913 - what a provider signs is chosen by name
    provider: str,
    secret: str,
    body: bytes | str | dict[str, Any] | list[Any],
    now: datetime | None = None,
    *,
    event: str | None = None,
    delivery_id: str | None = None,
    public_url: str = "",
    query: str = "",
    content_type: str | None = None,
    signature: HmacSignature | None = None,
) -> SignedDelivery:
    """Return a delivery as the provider would send it.

    Args:
        provider: as `WebhookSource(provider=...)` names it.
        secret: what the provider signs with: where the receiver has a public key this is the private one (hexadecimal
            for Discord, base64 of DER for SendGrid, ``whsk_...`` for Standard Webhooks).
        body: as it is sent; a dict or a list is sent as JSON, for Twilio as a form.
        now: the time that is signed; by default that of the machine.
        event: where the provider names it in a header.
        delivery_id: where the provider has it in a header; by default a new one.
        public_url: the source's, where the provider signs it.
        query: what the provider adds to it.
        content_type: by default what `body` is.
        signature: how to sign, for ``"hmac"``, and for ``"cloudevents"`` where it is not a bearer token.

    """
    scheme = SCHEMES.get(provider) if signature is None else signature.scheme()
    if scheme is None:
        message = f"sign: there is no provider {provider!r}; 'hmac' needs signature=HmacSignature(...)"
        raise ConfigurationError(message)
    content = _content(provider, body)
    headers = {"content-type": content_type or _content_type(content)}
    headers.update(_named(provider, event, delivery_id))
    if signature is not None and signature.id_header is not None:
        headers[signature.id_header.lower()] = delivery_id or f"msg_{uuid4().hex}"
    request = SignedRequest(body=content, headers=_fields(headers), public_url=public_url, query=query)
    return _signed(scheme, secret, request, headers, now or datetime.now(UTC))


async def send_signed(
    client: HttpClient[ResponseT_co],
    url: str,
    provider: str,
    secret: str,
    body: bytes | str | dict[str, Any] | list[Any],
    **options: Any,
) -> ResponseT_co:
    """Send a delivery to a source as its provider would, and return the answer; for tests and for trying a server.

    Args:
        client: for example `httpx.AsyncClient`.
        url: the source's, or its path where the client has a base.
        provider: as for `sign`, and so are `secret`, `body` and `options`; `public_url` is `url` unless it is given.
        secret: see there.
        body: see there.
        **options: see there.

    """
    delivery = sign(provider, secret, body, **{"public_url": url, **options})
    target = f"{url}?{delivery.query}" if delivery.query else url
    return await client.post(target, content=delivery.body, headers=delivery.headers)


def _signed(
    scheme: SignatureScheme, secret: str, request: SignedRequest, headers: dict[str, str], now: datetime
) -> SignedDelivery:
    parts = scheme.sign(request, scheme.signing_key(secret), now)
    return SignedDelivery(headers={**headers, **parts.headers}, body=parts.body, query=parts.query or request.query)


def _content(provider: str, body: bytes | str | dict[str, Any] | list[Any]) -> bytes:
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    if provider == "twilio":
        return urlencode(body, doseq=True).encode()
    return json.dumps(body, separators=(",", ":")).encode()


def _content_type(body: bytes) -> str:
    try:
        json.loads(body)
    except ValueError:
        return _FORM if b"=" in body and b"<" not in body else "text/plain"
    return "application/json"


def _named(provider: str, event: str | None, delivery_id: str | None) -> dict[str, str]:
    """Return the headers that name the event and the delivery, where the provider has such."""
    from portico.adapters.http.sources.providers import (  # noqa: PLC0415 - FastAPI is not for tests that sign nothing
        PROVIDERS,
    )

    described = PROVIDERS.get(provider)
    if described is None:
        return {}
    named = {} if event is None else dict.fromkeys(described.event_headers[:1], event)
    return named | dict.fromkeys(described.delivery_id_headers[:1], delivery_id or f"msg_{uuid4().hex}")


def _fields(headers: dict[str, str]) -> HeaderFields:
    return HeaderFields([(name.encode(), value.encode("latin-1")) for name, value in headers.items()])
