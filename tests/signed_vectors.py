"""Signatures that providers and the authors of their SDKs published, each checked with the standard library."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
STANDARD_BODY = b'{"test": 2432232314}'
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PUBLIC_KEY = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
PRIVATE_KEY = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="


@dataclass(frozen=True, kw_only=True)
class Vector:
    """A request that is authentic at `timestamp`."""

    name: str
    provider: str
    secret: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    timestamp: int = 1_700_000_000
    is_timed: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    query: str = ""

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp, UTC)


def _standard(prefix: str, signature: str) -> dict[str, str]:
    return {
        f"{prefix}-id": MESSAGE_ID,
        f"{prefix}-timestamp": "1614265330",
        f"{prefix}-signature": signature,
        "content-type": JSON,
    }


_V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
_V1A = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
_TEXT = {"body_format": "text"}
_TWILIO_FORM = b"CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309"
_TWILIO_QUERY = "foo=1&bar=2"
_SENDGRID_EVENT = {
    "email": "hello@world.com",
    "event": "dropped",
    "reason": "Bounced Address",
    "sg_event_id": "ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",
    "sg_message_id": "LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",
    "smtp-id": "<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>",
    "timestamp": 1600112492,
}


def _twilio(name: str, url: str, signature: str, body: bytes = _TWILIO_FORM, **more: Any) -> Vector:
    return Vector(
        name=f"twilio {name}",
        provider="twilio",
        secret="12345",
        body=body,
        headers={"x-twilio-signature": signature, "content-type": more.get("content_type", FORM)},
        settings={"public_url": url},
        query=_TWILIO_QUERY + more.get("query", ""),
    )


VECTORS = (
    Vector(
        name="standard webhooks v1",
        provider="standard_webhooks",
        secret=STANDARD_SECRET,
        body=STANDARD_BODY,
        headers=_standard("webhook", _V1),
        timestamp=1614265330,
        is_timed=True,
    ),
    Vector(
        name="standard webhooks v1 among others",
        provider="standard_webhooks",
        secret=STANDARD_SECRET.removeprefix("whsec_"),
        body=STANDARD_BODY,
        headers=_standard("webhook", f"junk v9,AAAA v1,!!! {_V1A} {_V1}"),
        timestamp=1614265330,
        is_timed=True,
    ),
    Vector(
        name="standard webhooks v1a",
        provider="standard_webhooks",
        secret=PUBLIC_KEY,
        body=STANDARD_BODY,
        headers=_standard("webhook", _V1A),
        timestamp=1614265330,
        is_timed=True,
    ),
    Vector(
        name="svix",
        provider="svix",
        secret=STANDARD_SECRET,
        body=STANDARD_BODY,
        headers=_standard("svix", _V1),
        timestamp=1614265330,
        is_timed=True,
    ),
    Vector(
        name="svix under the standard's names",
        provider="svix",
        secret=STANDARD_SECRET,
        body=STANDARD_BODY,
        headers=_standard("webhook", _V1),
        timestamp=1614265330,
        is_timed=True,
    ),
    Vector(
        name="gitlab signing token",
        provider="gitlab",
        secret=STANDARD_SECRET,
        body=STANDARD_BODY,
        headers=_standard("webhook", _V1),
        timestamp=1614265330,
        is_timed=True,
    ),
    Vector(
        name="openai",
        provider="openai",
        secret="whsec_RdvaYFYUXuIFuEbvZHwMfYFhUf7aMYjYcmM24+Aj40c=",
        body=(
            b'{"id": "evt_685c059ae3a481909bdc86819b066fb6", "object": "event", "created_at": 1750861210,'
            b' "type": "response.completed", "data": {"id": "resp_123"}}'
        ),
        headers={
            "webhook-id": "wh_685c059ae39c8190af8c71ed1022a24d",
            "webhook-timestamp": "1750861210",
            "webhook-signature": "v1,gUAg4R2hWouRZqRQG4uJypNS8YK885G838+EHb4nKBY=",
            "content-type": JSON,
        },
        timestamp=1750861210,
        is_timed=True,
    ),
    Vector(
        name="github documentation",
        provider="github",
        secret="It's a Secret to Everybody",
        body=b"Hello, World!",
        headers={"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
        settings=_TEXT,
    ),
    Vector(
        name="octokit",
        provider="github",
        secret="mysecret",
        body=b'{\n  "foo": "bar"\n}\n',
        headers={
            "x-hub-signature-256": "sha256=e3eccac34c43c7dc1cbb905488b1b81347fcc700a7b025697a9d07862256023f",
            "content-type": JSON,
        },
    ),
    Vector(
        name="octokit escapes",
        provider="github",
        secret="development",
        body=b'{\n  "foo": "\\\\u001b"\n}\n',
        headers={
            "x-hub-signature-256": "sha256=87316067e2011fae39998b18c46a14d83b3e7c3ffdd88fb2ee5afb7d11288e60",
            "content-type": JSON,
        },
    ),
    Vector(
        name="slack documentation",
        provider="slack",
        secret="8f742231b10e8888abcd99yyyzzz85a5",
        body=(
            b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
            b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
            b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
            b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
        ),
        headers={
            "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
            "x-slack-request-timestamp": "1531420618",
            "content-type": FORM,
        },
        timestamp=1531420618,
        is_timed=True,
    ),
    Vector(
        name="shopify",
        provider="shopify",
        secret="test_secret_key",
        body=b'{"foo": "bar"}',
        headers={
            "x-shopify-hmac-sha256": "B23tXN681gZ0qIWNRrgtzBE9XSDo5yaUu6wfmhu3a7g=",
            "content-type": JSON,
        },
    ),
    Vector(
        name="shopify under the new name",
        provider="shopify",
        secret="test_secret_key",
        body=b'{"foo": "bar"}',
        headers={"shopify-hmac-sha256": "B23tXN681gZ0qIWNRrgtzBE9XSDo5yaUu6wfmhu3a7g=", "content-type": JSON},
    ),
    Vector(
        name="square",
        provider="square",
        secret="Ibxx_5AKakO-3qeNVR61Dw",
        body=(
            b'{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification",'
            b'"event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f","created_at":"2022-07-13T20:30:59.037339943Z",'
            b'"data":{"type":"webhooks","id":"bc368e64-01aa-407e-b46e-3231809b1129"}}'
        ),
        headers={
            "x-square-hmacsha256-signature": "GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4=",
            "content-type": JSON,
        },
        settings={"public_url": "https://webhook.site/679a4f3a-dcfa-49ee-bac5-9d0edad886b9"},
    ),
    Vector(
        name="square with brackets",
        provider="square",
        secret="signature-key",
        body=b'{"data":{"type":"webhooks","id":">id<"}}',
        headers={
            "x-square-hmacsha256-signature": "Cxt7+aTi4rKgcA0bC4g9EHdVtLSDWdqccmL5MvihU4U=",
            "content-type": JSON,
        },
        settings={"public_url": "https://webhook.site/webhooks"},
    ),
    Vector(
        name="hubspot v3",
        provider="hubspot",
        secret="yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
        body=b"{'example_field':'example_value'}",
        headers={
            "x-hubspot-signature-v3": "HPW73RUtKmcYoEDADG0s6MmGFWUzWJKAW07r8RDgcQw=",
            "x-hubspot-request-timestamp": "15000000",
        },
        timestamp=15_000,
        is_timed=True,
        settings={"public_url": "https://www.example.com/webhook_uri", **_TEXT},
    ),
    Vector(
        name="paddle during a rotation",
        provider="paddle",
        secret="pdl_ntf_01hbpjmytsa32fhr36nqgc3kgb_WvRO0eL4Bj9rgYYIBZY6wZhG4EHy9jzh",
        body=b"hello-world",
        headers={
            "paddle-signature": (
                "ts=1696195954;h1=dummy;h1=d96299976a6eb066f484d7fde011ac56fc32b38fc9940bc419d6e537fdc6ef02"
            )
        },
        timestamp=1696195954,
        is_timed=True,
        settings=_TEXT,
    ),
    Vector(
        name="line",
        provider="line",
        secret="channel_secret",
        body=b"bodybodybodybody",
        headers={"x-line-signature": "/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k="},
        settings=_TEXT,
    ),
    Vector(
        name="sendgrid",
        provider="sendgrid",
        secret=(
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNN"
            "RaINXvVpiglSI8eNEc6wEA3F+g=="
        ),
        # the line end is signed too
        body=json.dumps([_SENDGRID_EVENT], sort_keys=True, separators=(",", ":")).encode() + b"\r\n",
        headers={
            "x-twilio-email-event-webhook-signature": (
                "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
            ),
            "x-twilio-email-event-webhook-timestamp": "1600112502",
            "content-type": JSON,
        },
        timestamp=1600112502,
        is_timed=True,
    ),
    _twilio("form", "https://mycompany.com/myapp.php", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
    _twilio("with its port left out", "https://mycompany.com:1234/myapp.php", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
    _twilio("with its port added", "https://mycompany.com/myapp.php", "kvajT1Ptam85bY51eRf/AJRuM3w="),
    _twilio("over http with its port", "http://mycompany.com:1234/myapp.php", "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
    _twilio("over http with its port added", "http://mycompany.com/myapp.php", "0ZXoZLH/DfblKGATFgpif+LLRf4="),
    _twilio(
        "with a field twice",
        "https://mycompany.com/myapp.php",
        "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
        b"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234",
    ),
    _twilio(
        "with JSON",
        "https://mycompany.com/myapp.php",
        "a9nBmqA0ju/hNViExpshrM61xv4=",
        b'{"property": "value", "boolean": true}',
        content_type=JSON,
        query="&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
    ),
)
"""All of them."""
