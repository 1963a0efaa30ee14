"""From an HTTP call to authentic deliveries and the jobs they ask for."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import Request, Response

from portico.adapters.http.body import read_body
from portico.adapters.http.compression import decompressed
from portico.adapters.http.head import Head
from portico.adapters.http.json_body import Decode
from portico.adapters.http.sources.cloud_events import read_cloud_events
from portico.adapters.http.sources.content import MediaType, accepted, read_content
from portico.adapters.http.sources.delivery import Delivery, Locator, Received
from portico.adapters.http.sources.job_mapping import JobMapping
from portico.adapters.http.sources.providers import CLOUDEVENTS
from portico.adapters.http.sources.source_config import WebhookSource
from portico.adapters.webhook_signature.scheme import Key
from portico.adapters.webhook_signature.signed_request import HeaderFields, SignedRequest
from portico.exceptions import ValidationError
from portico.runtime.deadlines import Deadlines

_VERIFIED_ON_THE_LOOP_BYTES = 262_144


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """A delivery and the job it becomes; None where nothing is configured for its event."""

    delivery: Delivery
    mapping: JobMapping | None
    identity: str | None
    """What its key is made of; None makes each delivery a job."""


class SourceReader:
    """Reads the deliveries of one source: first whose they are, then what they say.

    Args:
        source: who sends.
        max_body_bytes: the limit where neither the source nor its provider has one.
        body_timeout_seconds: how long a body may take.
        decode: reads JSON.
        encodings: how bodies may be compressed.
        secret_headers: header fields that are not for the delivery log, in lower case.

    """

    def __init__(
        self,
        source: WebhookSource,
        *,
        max_body_bytes: int,
        body_timeout_seconds: float,
        decode: Decode,
        encodings: Collection[str] = (),
        secret_headers: Collection[str] = (),
    ) -> None:
        self.source = source
        self.secret_headers = secret_headers
        self._provider = source.described_provider
        self._max_body_bytes = source.max_body_bytes or self._provider.max_body_bytes or max_body_bytes
        self._deadlines = Deadlines(body_timeout_seconds)
        self._decode = decode
        self._encodings = encodings

    @property
    def patience_seconds(self) -> float:
        """How long the provider waits, at least."""
        return self._provider.patience_seconds

    async def body_of(self, request: Request, head: Head) -> bytes:
        """Return the bytes as they were sent.

        Raises:
            Refusal: they are too many, too slow or compressed.

        """
        return await read_body(
            request,
            head,
            max_bytes=self._max_body_bytes,
            deadlines=self._deadlines,
            encodings=self._encodings,
        )

    async def verified(self, request: Request, headers: HeaderFields, body: bytes, now: datetime) -> Key:
        """Return the key that signed the request.

        Raises:
            SignatureError: none of the source's did.
            SecretUnavailableError: they are not known now.

        """
        keys = await self.source.keyring.keys()
        signed = SignedRequest(
            body=body,
            headers=headers,
            method=request.method,
            public_url=self.source.public_url or "",
            query=request.scope["query_string"].decode("latin-1"),
        )
        if len(body) <= _VERIFIED_ON_THE_LOOP_BYTES:
            return self.source.scheme.verify(signed, keys, now)
        return await asyncio.to_thread(self.source.scheme.verify, signed, keys, now)

    async def deliveries(self, headers: HeaderFields, body: bytes, key: Key | None) -> Sequence[Mapped] | Response:
        """Return what was delivered, or the answer to a question of the provider's; None for a key asks no questions.

        Raises:
            ValidationError: the body is not what this provider sends.
            Refusal: its media type is not, or it was too large before it was compressed.
            SignatureError: a header field that identifies it is there twice or malformed.

        """
        body = await decompressed(body, headers.first("content-encoding"), max_bytes=self._max_body_bytes)
        data = await self._data(headers, body, MediaType.of(headers.first("content-type")))
        handshake = self._provider.handshake
        if key is not None and handshake is not None and (answer := handshake(data, key)) is not None:
            return answer
        return [
            self._mapped(Received(headers=headers, body=body, data=item, place=place))
            for place, item in self._items(data)
        ]

    async def _data(self, headers: HeaderFields, body: bytes, media_type: MediaType) -> Any:
        if self._provider is CLOUDEVENTS:
            return await read_cloud_events(body, headers, media_type, self._decode, batch_limit=self.source.batch_limit)
        source = self.source
        if source.content_types:
            media_type = accepted(media_type, source.content_types, source.sent_format)
        return await read_content(body, media_type, source.sent_format, self._decode)

    def _items(self, data: Any) -> list[tuple[int | None, Any]]:
        """Return the events of a body, with their places where there can be several."""
        if self._provider is CLOUDEVENTS:
            return list(enumerate(data)) if isinstance(data, list) else [(None, data)]
        if self._provider.items is None or self.source.body_format is not None:
            return [(None, data)]
        if self._provider.items:
            data = data.get(self._provider.items) if isinstance(data, dict) else None
        elif isinstance(data, dict):
            # one event may come without the array
            return [(None, data)]
        if not isinstance(data, list):
            raise ValidationError("Request body must hold an array of events", details={"code": "invalid_body"})
        return list(enumerate(data))

    def _mapped(self, received: Received) -> Mapped:
        source = self.source
        event = _found(source.event_locator, received)
        # what identifies it where the provider says so is shown, also where `dedup` says otherwise
        known = self._provider.delivery_id
        delivery_id = _found(known, received)
        identity = delivery_id if source.identity_locator is known else _found(source.identity_locator, received)
        delivery = Delivery(
            source=source.name,
            provider=source.provider,
            event=event,
            delivery_id=delivery_id if delivery_id is not None else identity,
            data=received.data,
            body=received.body,
            fields=received.headers,
        )
        return Mapped(delivery=delivery, mapping=self._mapping_of(event, received), identity=identity)

    def _mapping_of(self, event: str | None, received: Received) -> JobMapping | None:
        mappings = self.source.mappings
        detail = self._provider.event_detail and self._provider.event_detail.find(received)
        if event is not None:
            for name in (f"{event}.{detail}", event):
                if name in mappings:
                    return mappings[name]
        return None if event in self._provider.ignored_events else self.source.default_mapping


def _found(locator: Locator | None, received: Received) -> str | None:
    return None if locator is None else locator.find(received)


def payload_of(mapping: JobMapping, source: WebhookSource, delivery: Delivery) -> dict[str, Any]:
    """Return the payload of the job that a delivery becomes.

    Raises:
        TypeError: a function of the source's returned something else than a dict.

    """
    make = mapping.payload or source.payload
    if make is None:
        return {"event": delivery.event, "delivery_id": delivery.delivery_id, "data": delivery.data}
    payload: Any = make(delivery)
    if not isinstance(payload, dict):
        message = f"payload of the webhook source '{source.name}' must return a dict, not {type(payload).__name__}"
        raise TypeError(message)
    return payload
