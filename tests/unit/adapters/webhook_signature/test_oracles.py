"""The providers' own libraries, as oracles: what they sign is believed here, and what is signed here they believe.

Where they differ from these verifiers, it is because they are lenient, or fail: every difference that is known is in
the last tests, so that one of a new version shows.
"""

import json
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import standardwebhooks
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier
from twilio.request_validator import RequestValidator

from portico.adapters.webhook_signature.schemes import SCHEMES
from portico.adapters.webhook_signature.signed_request import HeaderFields, SignatureError, SignedRequest
from portico.testing import SignedDelivery, sign
from tests.webhook_sources import SECRET, STANDARD_SECRET

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
URL = "https://hooks.example.com/webhooks/sources/x"
BODIES = st.binary(max_size=200) | st.text(max_size=100).map(str.encode)
TEXTS = st.text(max_size=100)


def _believes(provider: str, secret: str, body: bytes, headers: dict[str, str], **more: Any) -> bool:
    scheme = SCHEMES[provider]
    fields = HeaderFields([(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()])
    request = SignedRequest(body=body, headers=fields, **more)
    try:
        scheme.verify(request, [scheme.key(secret)], NOW)
    except SignatureError:
        return False
    return True


@settings(max_examples=50, deadline=None)
@given(body=TEXTS)
def test_standard_webhooks_signs_alike(body: str) -> None:
    signature = standardwebhooks.Webhook(STANDARD_SECRET).sign("msg_1", NOW, body)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": signature,
    }

    assert _believes("standard_webhooks", STANDARD_SECRET, body.encode(), headers)
    ours = sign("standard_webhooks", STANDARD_SECRET, body, NOW, delivery_id="msg_1")
    assert ours.headers["webhook-signature"] == signature


def test_standard_webhooks_believes_what_is_signed_here() -> None:
    # it takes the machine's time
    delivery = sign("standard_webhooks", STANDARD_SECRET, {"type": "a"}, datetime.now(UTC))

    believed = standardwebhooks.Webhook(STANDARD_SECRET).verify(delivery.body, delivery.headers)

    assert believed == {"type": "a"}


@settings(max_examples=50, deadline=None)
@given(body=TEXTS)
def test_stripe_signs_alike(body: str) -> None:
    delivery = sign("stripe", SECRET, body, NOW)
    header = delivery.headers["stripe-signature"]

    assert stripe.WebhookSignature.verify_header(body, header, SECRET, tolerance=None)
    assert _believes("stripe", SECRET, body.encode(), {"stripe-signature": header})


@settings(max_examples=50, deadline=None)
@given(body=TEXTS)
def test_slack_signs_alike(body: str) -> None:
    verifier = SignatureVerifier(SECRET, clock=SimpleNamespace(now=NOW.timestamp))  # type: ignore[arg-type] # - has all
    delivery = sign("slack", SECRET, body, NOW)
    timestamp = delivery.headers["x-slack-request-timestamp"]
    signature = delivery.headers["x-slack-signature"]

    assert verifier.is_valid(body, timestamp, signature)
    assert verifier.generate_signature(timestamp=timestamp, body=body) == signature


@settings(max_examples=50, deadline=None)
@given(
    fields=st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=10), TEXTS, max_size=5),
    port=st.sampled_from(["", ":443", ":8443"]),
)
def test_twilio_signs_alike(fields: dict[str, str], port: str) -> None:
    url = f"https://hooks.example.com{port}/x"
    delivery = sign("twilio", SECRET, fields, NOW, public_url=url, content_type="application/x-www-form-urlencoded")
    validator = RequestValidator(SECRET)

    assert validator.validate(url, fields, delivery.headers["x-twilio-signature"])
    theirs = {
        "x-twilio-signature": validator.compute_signature(url, fields),
        "content-type": "application/x-www-form-urlencoded",
    }
    assert _believes("twilio", SECRET, delivery.body, theirs, public_url=url)


def test_twilio_signs_json_alike() -> None:
    delivery = sign("twilio", SECRET, b'{"a": 1}', NOW, public_url=URL, content_type="application/json")
    validator = RequestValidator(SECRET)

    signature = delivery.headers["x-twilio-signature"]
    assert validator.validate(f"{URL}?{delivery.query}", delivery.body.decode(), signature)
    assert not validator.validate(f"{URL}?{delivery.query}", '{"a": 2}', signature)


def _standard(**changes: str) -> tuple[SignedDelivery, dict[str, str]]:
    delivery = sign("standard_webhooks", STANDARD_SECRET, {"type": "a"}, datetime.now(UTC), delivery_id="msg_1")
    return delivery, {**delivery.headers, **changes}


@pytest.mark.parametrize("value", ["junk", "v1,a,b", "v1,AAA", "v1,\xe9", ""])
def test_standard_webhooks_fails_where_a_refusal_is_due(value: str) -> None:
    delivery, headers = _standard(**{"webhook-signature": value})

    with pytest.raises((ValueError, standardwebhooks.WebhookVerificationError, TypeError)):
        standardwebhooks.Webhook(STANDARD_SECRET).verify(delivery.body, headers)
    assert not _believes("standard_webhooks", STANDARD_SECRET, delivery.body, headers)


def test_a_version_to_come_before_the_known_one_is_skipped_here_alone() -> None:
    delivery = sign("standard_webhooks", STANDARD_SECRET, {"type": "a"}, NOW)
    headers = {**delivery.headers, "webhook-signature": f"junk {delivery.headers['webhook-signature']}"}

    assert _believes("standard_webhooks", STANDARD_SECRET, delivery.body, headers)


def test_stripe_takes_times_that_are_refused_here() -> None:
    later = sign("stripe", SECRET, b"{}", datetime.fromtimestamp(time.time() + 10_000, UTC))
    header = later.headers["stripe-signature"]

    assert stripe.WebhookSignature.verify_header("{}", header, SECRET, tolerance=300)
    assert not _believes("stripe", SECRET, b"{}", {"stripe-signature": header})

    twice = sign("stripe", SECRET, b"{}", NOW).headers["stripe-signature"]
    doubled = f"{twice},t={int(NOW.timestamp())}"
    assert not _believes("stripe", SECRET, b"{}", {"stripe-signature": doubled})


def test_slack_fails_on_a_time_that_is_none() -> None:
    verifier = SignatureVerifier(SECRET)

    with pytest.raises(ValueError, match="invalid literal"):
        verifier.is_valid("{}", "soon", "v0=00")
    headers = {"x-slack-request-timestamp": "soon", "x-slack-signature": "v0=00"}
    assert not _believes("slack", SECRET, b"{}", headers)


def test_twilio_fails_on_json_without_its_hash() -> None:
    validator = RequestValidator(SECRET)

    with pytest.raises((AttributeError, TypeError, ValueError)):
        validator.validate(URL, json.dumps({"a": 1}), "x")
    headers = {"x-twilio-signature": "eHg=", "content-type": "application/json"}
    assert not _believes("twilio", SECRET, b'{"a": 1}', headers, public_url=URL)
