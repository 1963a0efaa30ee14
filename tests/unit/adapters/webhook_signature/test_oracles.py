"""The providers' own libraries, as oracles: what they sign is believed here, and what is signed here they believe.

Where they differ from these verifiers, it is because they are lenient, or fail: every difference that is known is in
the table at the end, so that one of a new version shows.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import Enum
from types import SimpleNamespace
from typing import Any, Self

import pytest
import standardwebhooks
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.signature import SignatureVerifier
from twilio.request_validator import RequestValidator
from typing_extensions import override

from portico.adapters.webhook_signature.scheme import SignatureScheme
from portico.adapters.webhook_signature.schemes import SCHEMES
from portico.adapters.webhook_signature.signed_request import HeaderFields, SignatureError, SignedRequest
from portico.exceptions import ConfigurationError
from portico.testing import sign
from tests.signed_vectors import PRIVATE_KEY, PUBLIC_KEY
from tests.webhook_sources import SECRET, STANDARD_SECRET

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
URL = "https://hooks.example.com/webhooks/sources/x"
BODIES = st.binary(max_size=200) | st.text(max_size=100).map(str.encode)
TEXTS = st.text(max_size=100)


def _believes(provider: str, secret: str, body: bytes, headers: dict[str, str], **more: Any) -> bool:
    return _scheme_believes(SCHEMES[provider], [secret], body, headers, **more)


def _scheme_believes(
    scheme: SignatureScheme,
    secrets: Sequence[str],
    body: bytes,
    headers: Mapping[str, str],
    now: datetime = NOW,
    **more: Any,
) -> bool:
    fields = HeaderFields([(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()])
    request = SignedRequest(body=body, headers=fields, **more)
    try:
        scheme.verify(request, [scheme.key(secret) for secret in secrets], now)
    except (SignatureError, ConfigurationError):
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


# --- differences


class Verdict(Enum):
    BELIEVES = "believes it"
    REFUSES = "refuses it"
    FAILS = "raises an error that is no refusal"


@dataclass(frozen=True)
class Difference:
    """A request that a library and the verifiers here judge differently."""

    about: str
    theirs: Callable[[], object]
    their_verdict: Verdict
    ours: Callable[[], bool]
    is_believed_here: bool = False


def _verdict(verify: Callable[[], object]) -> Verdict:
    try:
        return Verdict.REFUSES if verify() is False else Verdict.BELIEVES
    except (standardwebhooks.WebhookVerificationError, stripe.SignatureVerificationError):
        return Verdict.REFUSES
    except Exception:  # noqa: BLE001 - whatever it is, it is no refusal
        return Verdict.FAILS


TIME = int(NOW.timestamp())
BODY = b'{"type": "a"}'


def _standard_headers(*, body: bytes = BODY, message_id: str = "msg_1", time: int = TIME) -> dict[str, str]:
    key = base64.b64decode(STANDARD_SECRET.removeprefix("whsec_"))
    mac = hmac.new(key, f"{message_id}.{time}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(mac).decode()}"
    return {"webhook-id": message_id, "webhook-timestamp": str(time), "webhook-signature": signature}


RIGHT = _standard_headers()["webhook-signature"]
STANDARD = SCHEMES["standard_webhooks"]
ASYMMETRIC = sign("standard_webhooks", PRIVATE_KEY, BODY, NOW)


def _standard(
    about: str,
    their_verdict: Verdict,
    headers: Mapping[str, str],
    *,
    is_believed_here: bool = False,
    secrets: Sequence[str] = (STANDARD_SECRET,),
    body: bytes = BODY,
    scheme: SignatureScheme = STANDARD,
) -> Difference:
    def theirs() -> object:
        return standardwebhooks.Webhook(secrets[0]).verify(body, dict(headers))

    def ours() -> bool:
        return _scheme_believes(scheme, secrets, body, headers, NOW)

    return Difference(f"standardwebhooks: {about}", theirs, their_verdict, ours, is_believed_here)


def _signed_as(signature: str) -> dict[str, str]:
    return {**_standard_headers(), "webhook-signature": signature}


def _stripe(about: str, header: str) -> Difference:
    return Difference(
        f"stripe: {about}",
        lambda: stripe.WebhookSignature.verify_header("{}", header, SECRET, tolerance=300),
        Verdict.BELIEVES,
        lambda: _believes("stripe", SECRET, b"{}", {"stripe-signature": header}),
    )


def _stripe_signature(time: int | str) -> str:
    return hmac.new(SECRET.encode(), f"{time}.{{}}".encode(), hashlib.sha256).hexdigest()


def _slack(about: str, timestamp: str, signature: str) -> Difference:
    headers = {"x-slack-request-timestamp": timestamp, "x-slack-signature": signature}
    return Difference(
        f"slack_sdk: {about}",
        lambda: SLACK.is_valid("{}", timestamp, signature),
        Verdict.FAILS,
        lambda: _believes("slack", SECRET, b"{}", headers),
    )


class _StoppedDatetime(datetime):
    @classmethod
    @override
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(NOW.timestamp(), tz)


@pytest.fixture
def _stopped_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the libraries at the moment of the table, however long the tests before took."""
    monkeypatch.setattr("standardwebhooks.webhooks.datetime", _StoppedDatetime)
    monkeypatch.setattr("stripe._webhook.time", SimpleNamespace(time=NOW.timestamp))


SLACK = SignatureVerifier(SECRET, clock=SimpleNamespace(now=NOW.timestamp))  # type: ignore[arg-type] # - has all
UNDERSCORED = f"{TIME // 1000}_{TIME % 1000:03}"
JSON_WITHOUT_HASH = {"x-twilio-signature": "eHg=", "content-type": "application/json"}
DIFFERENCES = [
    _standard("a token without a version", Verdict.FAILS, _signed_as("junk")),
    _standard("a token with two commas", Verdict.FAILS, _signed_as("v1,a,b")),
    _standard("two blanks between signatures", Verdict.FAILS, _signed_as(f"v1,AAAA  {RIGHT}"), is_believed_here=True),
    _standard("base64 that is too short", Verdict.FAILS, _signed_as("v1,AAA")),
    _standard("a signature beyond ASCII", Verdict.FAILS, _signed_as("v1,\xe9")),
    _standard(
        "an authentic body that is no UTF-8",
        Verdict.FAILS,
        _standard_headers(body=b"\xff"),
        body=b"\xff",
        is_believed_here=True,
    ),
    _standard("junk before the signature", Verdict.FAILS, _signed_as(f"junk {RIGHT}"), is_believed_here=True),
    _standard("other characters in the base64", Verdict.BELIEVES, _signed_as(f"{RIGHT[:10]}!{RIGHT[10:]}")),
    _standard("an id with a point, which separates", Verdict.BELIEVES, _standard_headers(message_id="msg.1")),
    _standard(
        "a secret that is no base64",
        Verdict.BELIEVES,
        _standard_headers(),
        secrets=[f"{STANDARD_SECRET[:12]}!?{STANDARD_SECRET[12:]}"],
    ),
    _standard(
        "a public key",
        Verdict.REFUSES,
        ASYMMETRIC.headers,
        secrets=[PUBLIC_KEY],
        is_believed_here=True,
    ),
    _standard(
        "a second secret",
        Verdict.REFUSES,
        _standard_headers(),
        secrets=["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", STANDARD_SECRET],
        is_believed_here=True,
    ),
    _standard(
        "another tolerance",
        Verdict.REFUSES,
        _standard_headers(time=TIME - 400),
        scheme=STANDARD.with_tolerance(600),
        is_believed_here=True,
    ),
    _stripe("a time to come", f"t={TIME + 10_000},v1={_stripe_signature(TIME + 10_000)}"),
    _stripe("two times", f"t={TIME},v1={_stripe_signature(TIME)},t=1"),
    _stripe("an underscore in the time", f"t={UNDERSCORED},v1={_stripe_signature(TIME)}"),
    _slack("a time that is none", "soon", "v0=00"),
    _slack("a signature beyond ASCII", str(TIME), "v0=\xe9"),
    Difference(
        "twilio: JSON without its hash",
        lambda: RequestValidator(SECRET).validate(URL, '{"a": 1}', "x"),
        Verdict.FAILS,
        lambda: _believes("twilio", SECRET, b'{"a": 1}', JSON_WITHOUT_HASH, public_url=URL),
    ),
]


@pytest.mark.webhook_case(98)
@pytest.mark.usefixtures("_stopped_clocks")
@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.about)
def test_the_libraries_differ_only_in_what_is_known(difference: Difference) -> None:
    assert _verdict(difference.theirs) is difference.their_verdict
    assert difference.ours() is difference.is_believed_here


def test_all_known_differences_are_in_the_table() -> None:
    assert len({difference.about for difference in DIFFERENCES}) == 19
