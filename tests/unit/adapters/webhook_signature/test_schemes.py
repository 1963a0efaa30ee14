"""Schemes where no vector was published, and the ways around a signature."""

import hmac
from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from typing import Any
from unittest.mock import patch

import pytest

from portico.adapters.http.sources.providers import PROVIDERS
from portico.adapters.job_trigger.webhook_trigger import HmacSignature
from portico.adapters.webhook_signature.schemes import SCHEMES
from portico.adapters.webhook_signature.signed_request import HeaderFields, SignatureError, SignedRequest
from portico.exceptions import ConfigurationError
from portico.testing import SignedDelivery
from tests.signed_vectors import PRIVATE_KEY, PUBLIC_KEY
from tests.webhook_sources import (
    NOW,
    PROVIDER_NAMES,
    SAMPLES,
    SECRET,
    STANDARD_SECRET,
    proof_headers,
    receiving,
    signed,
    source,
)

pytestmark = pytest.mark.asyncio

EVERY = pytest.mark.parametrize("provider", PROVIDER_NAMES)
OTHER_SECRET = {
    STANDARD_SECRET: "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    SECRET: "another-secret-of-32-characters!",
}


async def test_every_provider_has_a_sample() -> None:
    assert set(PROVIDER_NAMES) == set(PROVIDERS)


@EVERY
async def test_a_delivery_is_believed_and_becomes_a_job(provider: str) -> None:
    async with receiving(source(provider)) as receiver:
        response = await receiver.receive(signed(provider))

    assert response.is_success, response.text
    assert [job.job_type for job in receiver.jobs] == ["webhook.received"]


# of those that sign with a private key the vectors have another one
@pytest.mark.parametrize("provider", [name for name, sample in SAMPLES.items() if sample.secret in OTHER_SECRET])
async def test_a_delivery_of_somebody_else_is_not_believed(provider: str) -> None:
    delivery = signed(provider, secret=OTHER_SECRET[SAMPLES[provider].secret])

    async with receiving(source(provider)) as receiver:
        response = await receiver.receive(delivery)

    assert response.status_code == 401
    assert receiver.jobs == []


@pytest.mark.parametrize("provider", [name for name, sample in SAMPLES.items() if sample.is_timed])
async def test_a_recorded_delivery_is_believed_for_five_minutes(provider: str) -> None:
    delivery = signed(provider)

    async with receiving(source(provider), now=NOW + timedelta(seconds=300)) as receiver:
        in_time = await receiver.receive(delivery)
        await receiver.clock.advance(1)
        too_late = await receiver.receive(delivery)
    async with receiving(source(provider), now=NOW - timedelta(seconds=301)) as receiver:
        too_early = await receiver.receive(delivery)

    assert in_time.is_success
    assert (too_late.status_code, too_early.status_code) == (401, 401)


@pytest.mark.parametrize("provider", [name for name, sample in SAMPLES.items() if sample.signs_body])
async def test_a_body_that_was_touched_is_not_believed(provider: str) -> None:
    delivery = signed(provider)

    async with receiving(source(provider)) as receiver:
        for body in (delivery.body + b" ", delivery.body[:-1], b"", b"\xff" + delivery.body):
            assert (await receiver.receive(delivery, body=body)).status_code == 401

    assert receiver.jobs == []


@EVERY
async def test_a_missing_proof_is_no_proof(provider: str) -> None:
    delivery = signed(provider)

    async with receiving(source(provider)) as receiver:
        for name in proof_headers(provider, delivery):
            headers = {key: value for key, value in delivery.headers.items() if key != name}
            assert (await receiver.receive(delivery, headers=headers)).status_code == 401, name

    assert receiver.jobs == []


@pytest.mark.webhook_case(97)
async def test_all_refusals_of_signatures_are_alike() -> None:
    answers = []
    async with receiving(source("stripe")) as receiver:
        delivery = signed("stripe")
        for headers in (
            {},
            {"stripe-signature": "junk"},
            {"stripe-signature": "t=1,v1=00"},
            signed("stripe", NOW - timedelta(days=1)).headers,
            signed("stripe", secret="another-secret-of-32-characters!").headers,
        ):
            response = await receiver.receive(delivery, headers=headers)
            content = response.json()
            request_id = content.pop("request_id")
            fields = dict(response.headers)
            assert fields.pop("x-request-id") == request_id
            fields.pop("content-length")
            answers.append((response.status_code, content, fields))

    assert len(answers) == 5
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][2]["www-authenticate"] == 'Signature realm="webhooks"'


async def test_a_hundred_signatures_are_not_all_computed() -> None:
    delivery = signed("stripe")
    value = delivery.headers["stripe-signature"]
    many = value.partition(",")[0] + ",v1=00" * 100 + "," + value.partition(",")[2]

    async with receiving(source("stripe")) as receiver:
        with patch.object(hmac, "digest", wraps=hmac.digest) as digest:
            response = await receiver.receive(delivery, headers={**delivery.headers, "stripe-signature": many})

    assert response.status_code == 401
    assert digest.call_count == 0


async def test_every_secret_is_compared_in_constant_time_and_none_is_left_out() -> None:
    secrets = ["another-secret-of-32-characters!", SECRET, "a-third-secret-of-32-characters!"]

    async with receiving(source("github", secrets=secrets)) as receiver:
        with patch.object(hmac, "compare_digest", wraps=hmac.compare_digest) as compare:
            await receiver.receive(signed("github"))

    assert compare.call_count == 3
    assert all(isinstance(argument, bytes) for argument in chain(*(call.args for call in compare.call_args_list)))


async def test_a_public_key_believes_what_its_private_key_signed() -> None:
    delivery = signed("standard_webhooks", secret=PRIVATE_KEY)

    async with receiving(source("standard_webhooks", secrets=[STANDARD_SECRET, PUBLIC_KEY])) as receiver:
        believed = await receiver.receive(delivery)
        confused = {**delivery.headers, "webhook-signature": delivery.headers["webhook-signature"].replace("v1a", "v1")}
        relabelled = await receiver.receive(delivery, headers=confused)

    assert (believed.status_code, relabelled.status_code) == (202, 401)


async def test_an_id_cannot_borrow_from_what_follows_it() -> None:
    delivery = signed("standard_webhooks", body=b'1700000000.{"type": "a"}', delivery_id="msg_1")
    timestamp = delivery.headers["webhook-timestamp"]
    shifted = {**delivery.headers, "webhook-id": f"msg_1.{timestamp}", "webhook-timestamp": "1700000000"}

    async with receiving(source("standard_webhooks")) as receiver:
        response = await receiver.receive(delivery, headers=shifted, body=b'{"type": "a"}')

    assert response.status_code == 401


async def test_gitlab_takes_each_secret_for_what_it_is() -> None:
    with_token = signed("gitlab")
    with_signature = signed("gitlab", secret=STANDARD_SECRET)
    replayed_secret = {**with_token.headers, "x-gitlab-token": STANDARD_SECRET}

    async with receiving(source("gitlab")) as receiver:
        assert (await receiver.receive(with_token)).is_success
        assert (await receiver.receive(with_signature)).status_code == 401
    async with receiving(source("gitlab", secrets=[STANDARD_SECRET])) as receiver:
        assert (await receiver.receive(with_signature)).is_success
        assert (await receiver.receive(with_token)).status_code == 401
        assert (await receiver.receive(with_token, headers=replayed_secret)).status_code == 401
    async with receiving(source("gitlab", secrets=[STANDARD_SECRET, SECRET])) as receiver:
        assert (await receiver.receive(with_signature)).is_success
        assert (await receiver.receive(with_token)).is_success


@pytest.mark.parametrize(("method", "status"), [("sha512", 202), ("sha384", 202), ("sha1", 401), ("md5", 401)])
async def test_a_hub_may_choose_a_hash_that_is_good_enough(method: str, status: int) -> None:
    body = b"<feed/>"
    signature = hmac.digest(SECRET.encode(), body, method).hex()

    async with receiving(source("websub")) as receiver:
        response = await receiver.client.post(
            "/webhooks/sources/x", content=body, headers={"x-hub-signature": f"{method}={signature}"}
        )

    assert response.status_code == status


async def test_a_hash_that_is_named_wrongly_is_not_believed() -> None:
    delivery = signed("websub")
    headers = {"x-hub-signature": delivery.headers["x-hub-signature"].replace("sha256", "sha512")}

    async with receiving(source("websub")) as receiver:
        assert (await receiver.receive(delivery, headers=headers)).status_code == 401


async def test_hubspot_signs_some_characters_of_its_url_decoded() -> None:
    url = {"public_url": "https://hooks.example.com/webhooks/sources/x"}
    # as HubSpot does: the signature is of the decoded query, the request has the encoded one
    delivery = signed("hubspot", query="a=b:c&d=e%20f")

    async with receiving(source("hubspot", **url)) as receiver:
        encoded = SignedDelivery(headers=delivery.headers, body=delivery.body, query="a=b%3Ac&d=e%20f")
        assert (await receiver.receive(encoded)).is_success
        other = SignedDelivery(headers=delivery.headers, body=delivery.body, query="a=b%3Ac&d=e%2Bf")
        assert (await receiver.receive(other)).status_code == 401


async def test_twilio_without_a_hash_of_its_json_is_not_believed() -> None:
    delivery = signed("twilio", body=b'{"a": 1}', content_type="application/json")
    without = SignedDelivery(headers=delivery.headers, body=delivery.body)

    async with receiving(source("twilio")) as receiver:
        assert (await receiver.receive(delivery)).is_success
        assert (await receiver.receive(without)).status_code == 401


async def test_a_form_whose_json_would_be_signed_is_not_believed() -> None:
    # one input alone is verified: the body as it came
    delivery = signed("github")
    form = b"payload=" + delivery.body

    async with receiving(source("github")) as receiver:
        response = await receiver.receive(delivery, body=form)

    assert response.status_code == 401


def _other_shapes() -> Iterator[HmacSignature]:
    yield HmacSignature(header="X-Sig")
    yield HmacSignature(header="X-Sig", encoding="base64", algorithm="sha512")
    yield HmacSignature(header="X-Sig", prefix="sha1=", algorithm="sha1")
    yield HmacSignature(header="X-Sig", template="{timestamp}|{body}", timestamp_header="X-Time")
    yield HmacSignature(
        header="X-Sig", template="{timestamp}{body}", timestamp_header="X-Time", timestamp_unit="milliseconds"
    )
    yield HmacSignature(header="X-Sig", template="{method} {url}\n{body}")
    yield HmacSignature(header="X-Sig", template="{timestamp}.{body}", pairs=(",", "t", "s"))


@pytest.mark.parametrize("shape", list(_other_shapes()), ids=repr)
async def test_any_other_shape_of_hmac_can_be_described(shape: HmacSignature) -> None:
    options: dict[str, Any] = {"signature": shape, "public_url": "https://hooks.example.com/hook"}
    delivery = signed("hmac", **options)

    async with receiving(source("hmac", **options, dedup=None)) as receiver:
        assert (await receiver.receive(delivery)).is_success
        assert (await receiver.receive(delivery, body=delivery.body + b" ")).status_code == 401


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ({"header": "X-Sig", "template": "{timestamp}.{body}"}, "timestamp"),
        ({"header": "X-Sig", "timestamp_header": "X-Time"}, "timestamp"),
        ({"header": "X-Sig", "template": "{id}.{body}"}, "id"),
        ({"header": "X-Sig", "template": "{nonce}.{body}"}, "nonce"),
        ({"header": "X-Sig", "template": "constant"}, "body"),
        ({"header": "X-Sig", "algorithm": "md5"}, "algorithm"),
        ({"header": "X-Sig", "encoding": "base32"}, "encoding"),
        ({"header": "X-Sig", "tolerance_seconds": 901}, "tolerance_seconds"),
    ],
)
async def test_a_description_that_contradicts_itself_is_refused(description: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        HmacSignature(**description)


@pytest.mark.parametrize("provider", list(SCHEMES))
async def test_a_scheme_refuses_what_was_signed_for_nobody(provider: str) -> None:
    scheme = SCHEMES[provider]
    request = SignedRequest(body=b"{}", headers=HeaderFields.of(content_type="application/json"))

    with pytest.raises(SignatureError):
        scheme.verify(request, [scheme.key(SAMPLES[provider].secret)], NOW)
