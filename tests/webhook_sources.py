"""A webhook trigger with one source, and deliveries to it as its provider would send them."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI

from portico.adapters.http.sources.providers import PROVIDERS
from portico.adapters.job_trigger.webhook_trigger import HmacSignature, WebhookConfig, WebhookSource, WebhookTrigger
from portico.ports.clock import Clock
from portico.ports.job import Job
from portico.ports.job_creator import JobCreator
from portico.testing import FakeClock, RecordingJobCreator, SignedDelivery, sign
from tests.silence import NEEDLE, hide

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
PATH = "/webhooks/sources/x"
URL = f"https://hooks.example.com{PATH}"
SECRET = "an-ordinary-secret-of-32-letters"
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
# the first test vector of RFC 8032
DISCORD_PRIVATE_KEY = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
DISCORD_PUBLIC_KEY = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
SENDGRID_PRIVATE_KEY = (
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgIjCtsnJS27F3s/6Gjzlc1rFyVjrAQEMfDbOBY2Rk0sahRANCAATmIhO9hIJo"
    "uWno2mCH+38wjvjHsK0UkL7h43Y6+jkGKuVrO62fg4UaGeXLAvwjEUx1H/LK05tIvHFQxt0Ql90I"
)
SENDGRID_PUBLIC_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5iITvYSCaLlp6Npgh/t/MI74x7CtFJC+4eN2Ovo5Birlazutn4OFGhnlywL8IxFMdR/yytOb"
    "SLxxUMbdEJfdCA=="
)
HMAC = HmacSignature(
    header="X-Signature",
    prefix="sha256=",
    template="{id}.{timestamp}.{body}",
    timestamp_header="X-Timestamp",
    id_header="X-Id",
)


def _with_needle(body: Any) -> Any:
    if isinstance(body, str):
        return body.replace("/>", f">{NEEDLE}</feed>")
    if isinstance(body, list):
        return [_with_needle(item) for item in body]
    return {**body, "note": NEEDLE}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A provider, and an ordinary delivery of its, with a needle in it."""

    body: Any = field(repr=False)
    secret: str = SECRET
    signing_secret: str | None = None
    """What it signs with, where that is not what the receiver is given."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    event: str | None = None
    """What the delivery is called."""
    is_timed: bool = False
    signs_body: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "body", _with_needle(self.body))


_EVENT = {"type": "order.paid", "data": {"amount": 5}}
_CLOUD_EVENT = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "order.paid", "data": {"amount": 5}}

SAMPLES: Mapping[str, Sample] = {
    "standard_webhooks": Sample(secret=STANDARD_SECRET, body=_EVENT, event="order.paid", is_timed=True),
    "svix": Sample(secret=STANDARD_SECRET, body=_EVENT, event="order.paid", is_timed=True),
    "openai": Sample(secret=STANDARD_SECRET, body=_EVENT, event="order.paid", is_timed=True),
    "github": Sample(body={"action": "opened"}, options={"event": "pull_request"}, event="pull_request"),
    "gitea": Sample(body={"ref": "main"}, options={"event": "push"}, event="push"),
    "gitlab": Sample(body={"object_kind": "push"}, event="push", signs_body=False),
    "stripe": Sample(body={"id": "evt_1", "type": "charge.succeeded"}, event="charge.succeeded", is_timed=True),
    "slack": Sample(
        body={"type": "event_callback", "event_id": "Ev1", "event": {"type": "app_mention"}},
        event="app_mention",
        is_timed=True,
    ),
    "shopify": Sample(body={"id": 1}, options={"event": "orders/create"}, event="orders/create"),
    "twilio": Sample(
        body={"MessageSid": "SM1", "MessageStatus": "delivered"},
        settings={"public_url": URL},
        options={"public_url": URL},
        event="delivered",
    ),
    "square": Sample(
        body={"type": "payment.created", "event_id": "e1"},
        settings={"public_url": URL},
        options={"public_url": URL},
        event="payment.created",
    ),
    "hubspot": Sample(
        body=[{"eventId": 1, "subscriptionId": 2, "occurredAt": 3, "subscriptionType": "contact.creation"}],
        settings={"public_url": URL},
        options={"public_url": URL},
        event="contact.creation",
        is_timed=True,
    ),
    "paddle": Sample(
        body={"event_type": "transaction.paid", "event_id": "evt_1"}, event="transaction.paid", is_timed=True
    ),
    "mailgun": Sample(body={"event-data": {"event": "opened"}}, event="opened", is_timed=True, signs_body=False),
    "sendgrid": Sample(
        secret=SENDGRID_PUBLIC_KEY,
        signing_secret=SENDGRID_PRIVATE_KEY,
        body=[{"event": "delivered", "sg_event_id": "s1"}],
        event="delivered",
        is_timed=True,
    ),
    "discord": Sample(
        secret=DISCORD_PUBLIC_KEY,
        signing_secret=DISCORD_PRIVATE_KEY,
        body={"id": "1", "type": 2, "data": {"name": "deploy"}},
        event="deploy",
        is_timed=True,
    ),
    "zoom": Sample(body={"event": "meeting.started", "payload": {}}, event="meeting.started", is_timed=True),
    "line": Sample(body={"events": [{"type": "message", "webhookEventId": "w1"}]}, event="message"),
    "websub": Sample(body="<feed/>", settings={"topics": ["https://example.com/feed"]}),
    "cloudevents": Sample(
        body=_CLOUD_EVENT,
        options={"content_type": "application/cloudevents+json"},
        event="order.paid",
        signs_body=False,
    ),
    "hmac": Sample(
        body=_EVENT,
        settings={"signature": HMAC, "event": "body:type", "dedup": "header:X-Id"},
        options={"signature": HMAC},
        event="order.paid",
        is_timed=True,
    ),
}
"""By provider."""

PROVIDER_NAMES = tuple(SAMPLES)


def signed(provider: str, now: datetime = NOW, **options: Any) -> SignedDelivery:
    """Return the provider's sample as it would send it; `options` are those of `sign`, and `body` and `secret`."""
    sample = SAMPLES[provider]
    secret = options.pop("secret", sample.signing_secret or sample.secret)
    body = options.pop("body", sample.body)
    delivery = sign(provider, secret, body, now, **{**sample.options, **options})
    # an id is no secret
    hide(secret, *(delivery.headers[name] for name in proof_headers(provider, delivery) if not name.endswith("-id")))
    return delivery


def proof_headers(provider: str, delivery: SignedDelivery) -> list[str]:
    """Return the headers that prove something: all but what says what the body is, and what names the event."""
    unsigned = {"content-type", *PROVIDERS[provider].event_headers}
    if not PROVIDERS[provider].signs_delivery_id:
        unsigned |= set(PROVIDERS[provider].delivery_id_headers)
    return [name for name in delivery.headers if name not in unsigned]


@dataclass
class Receiver:
    """A running trigger with one source, called `x`."""

    trigger: WebhookTrigger
    creator: RecordingJobCreator
    clock: FakeClock
    client: httpx.AsyncClient

    @property
    def jobs(self) -> list[Job]:
        return self.creator.jobs

    async def receive(self, delivery: SignedDelivery, **changes: Any) -> httpx.Response:
        """Send a delivery; `headers` replaces its headers, `body` its body."""
        path = f"{PATH}?{delivery.query}" if delivery.query else PATH
        return await self.client.post(
            path, content=changes.get("body", delivery.body), headers=changes.get("headers", delivery.headers)
        )


def source(provider: str, **settings: Any) -> WebhookSource:
    """Return the source of a provider's sample."""
    sample = SAMPLES[provider]
    described: dict[str, Any] = {"name": "x", "secrets": [sample.secret], **sample.settings, **settings}
    if not {"job_type", "events"} & settings.keys():
        described["job_type"] = "webhook.received"
    return WebhookSource(provider=provider, **described)


@asynccontextmanager
async def receiving(
    *sources: WebhookSource,
    now: datetime = NOW,
    creator: RecordingJobCreator | None = None,
    make_trigger: Callable[[JobCreator, Clock], WebhookTrigger] | None = None,
    **options: Any,
) -> AsyncIterator[Receiver]:
    """Run a trigger with these sources for the length of the block; `options` are those of its config."""
    clock = FakeClock(now)
    recording = creator or RecordingJobCreator()
    trigger = (
        WebhookTrigger(recording, WebhookConfig(sources=sources, **options), clock=clock)
        if make_trigger is None
        else make_trigger(recording, clock)
    )
    app = FastAPI()
    app.include_router(trigger.router)
    await trigger.start()
    try:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://portico.test") as client:
            yield Receiver(trigger=trigger, creator=recording, clock=clock, client=client)
    finally:
        await trigger.stop()
