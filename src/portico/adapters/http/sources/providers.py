"""What each provider sends, as data: how it signs, what it calls its events, and what it wants to hear."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fastapi import Response

from portico.adapters.http.sources import answers, handshakes
from portico.adapters.http.sources.content import BodyFormat
from portico.adapters.http.sources.delivery import Field, FirstOf, Joined, Locator, member
from portico.adapters.webhook_signature.scheme import Key, SignatureScheme
from portico.adapters.webhook_signature.schemes import SCHEMES

Handshake = Callable[[Any, Key], Response | None]

_MEBIBYTE = 1_048_576
_PATIENCE_SECONDS = 9.0


@dataclass(frozen=True, kw_only=True)
class Provider:
    """One provider.

    Args:
        name: what `WebhookSource(provider=...)` calls it.
        scheme: how it signs; None where the user says it.
        event: where it names what happened.
        event_detail: where it says so more closely: ``opened`` makes ``pull_request.opened`` of ``pull_request``.
        delivery_id: where it identifies a delivery, the same when that is delivered again.
        signs_delivery_id: False where anybody may change the id of a recorded delivery.
        body_format: what it sends.
        items: where several events are in one body: a member that is an array, or '' for a body that is one.
        ignored_events: what it sends to try the connection, unless a source names it in its events.
        handshake: answers its questions.
        answer: what it wants to hear.
        max_body_bytes: where it sends more than others do.
        patience_seconds: when to give up, a little before the provider does.
        has_topics: it asks with GET whether a subscription is wanted.
        has_senders: it asks with OPTIONS whether a sender may deliver.

    """

    name: str
    scheme: SignatureScheme | None = None
    event: Locator | None = None
    event_detail: Locator | None = None
    delivery_id: Locator | None = None
    signs_delivery_id: bool = True
    body_format: BodyFormat = BodyFormat.JSON
    items: str | None = None
    ignored_events: frozenset[str] = frozenset()
    handshake: Handshake | None = None
    answer: answers.Answer = answers.described
    max_body_bytes: int | None = None
    patience_seconds: float = _PATIENCE_SECONDS
    has_topics: bool = False
    has_senders: bool = False

    @property
    def event_headers(self) -> tuple[str, ...]:
        """The fields that may name the event; none of them is signed."""
        return () if self.event is None else self.event.headers

    @property
    def delivery_id_headers(self) -> tuple[str, ...]:
        """The fields that may identify the delivery."""
        return () if self.delivery_id is None else self.delivery_id.headers


def _provider(name: str, **described: Any) -> Provider:
    return Provider(name=name, scheme=SCHEMES.get(name), **described)


_ALL = (
    _provider("standard_webhooks", event=member("type"), delivery_id=Field("webhook-id")),
    _provider("svix", event=member("type"), delivery_id=FirstOf((Field("svix-id"), Field("webhook-id")))),
    _provider("openai", event=member("type"), delivery_id=Field("webhook-id")),
    _provider(
        "github",
        event=Field("x-github-event"),
        event_detail=member("action"),
        delivery_id=Field("x-github-delivery"),
        signs_delivery_id=False,
        body_format=BodyFormat.JSON_OR_PAYLOAD_FORM,
        ignored_events=frozenset({"ping"}),
        max_body_bytes=25 * _MEBIBYTE,
    ),
    _provider(
        "gitea",
        event=Field("x-gitea-event"),
        event_detail=member("action"),
        delivery_id=Field("x-gitea-delivery"),
        signs_delivery_id=False,
    ),
    _provider(
        "gitlab",
        event=FirstOf((member("object_kind"), member("event_name"), Field("x-gitlab-event"))),
        # not X-Gitlab-Webhook-UUID, which names the webhook and is the same in all of its deliveries:
        # https://docs.gitlab.com/user/project/integrations/webhooks/#delivery-headers
        delivery_id=FirstOf((Field("webhook-id"), Field("idempotency-key"))),
        signs_delivery_id=False,
    ),
    _provider("stripe", event=member("type"), delivery_id=member("id")),
    _provider(
        "slack",
        event=FirstOf((member("event.type"), member("command"), member("type"))),
        delivery_id=member("event_id"),
        body_format=BodyFormat.JSON_OR_FORM,
        handshake=handshakes.slack_challenge,
        answer=answers.empty,
        patience_seconds=2.5,
    ),
    _provider(
        "shopify",
        event=FirstOf((Field("x-shopify-topic"), Field("shopify-topic"))),
        delivery_id=FirstOf((Field("x-shopify-webhook-id"), Field("shopify-webhook-id"))),
        signs_delivery_id=False,
        patience_seconds=4.5,
    ),
    _provider(
        "twilio",
        event=FirstOf((member("MessageStatus"), member("SmsStatus"), member("CallStatus"))),
        delivery_id=Field("i-twilio-idempotency-token"),
        signs_delivery_id=False,
        body_format=BodyFormat.JSON_OR_FORM,
        answer=answers.empty_twiml,
    ),
    _provider("square", event=member("type"), delivery_id=member("event_id")),
    _provider(
        "hubspot",
        event=member("subscriptionType"),
        # eventId alone is not promised to be unique:
        # https://developers.hubspot.com/docs/apps/legacy-apps/public-apps/create-generic-webhook-subscriptions
        delivery_id=FirstOf(
            (Joined((member("eventId"), member("subscriptionId"), member("occurredAt"))), member("eventId"))
        ),
        items="",
    ),
    _provider("paddle", event=member("event_type"), delivery_id=member("event_id"), answer=answers.described_as_ok),
    _provider(
        "mailgun",
        event=member("event-data.event"),
        delivery_id=member("signature.token"),
        answer=answers.described_as_ok,
    ),
    _provider("sendgrid", event=member("event"), delivery_id=member("sg_event_id"), items=""),
    _provider(
        "discord",
        event=FirstOf((member("event.type"), member("data.name"), member("type"))),
        delivery_id=member("id"),
        handshake=handshakes.discord_ping,
        answer=answers.discord_deferral,
        patience_seconds=2.5,
    ),
    _provider("zoom", event=member("event"), handshake=handshakes.zoom_validation, answer=answers.described_as_ok),
    _provider(
        "line",
        event=member("type"),
        delivery_id=member("webhookEventId"),
        items="events",
        answer=answers.described_as_ok,
    ),
    _provider("websub", body_format=BodyFormat.ANY, has_topics=True),
    _provider(
        "cloudevents",
        event=member("type"),
        delivery_id=Joined((member("source"), member("id"))),
        signs_delivery_id=False,
        has_senders=True,
    ),
    _provider("hmac"),
)

PROVIDERS: Mapping[str, Provider] = MappingProxyType({provider.name: provider for provider in _ALL})
"""By name."""

CLOUDEVENTS = PROVIDERS["cloudevents"]
HMAC = PROVIDERS["hmac"]
