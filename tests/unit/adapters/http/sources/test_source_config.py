"""What is refused when a source is configured, and that its secrets stay hidden."""

import asyncio
import dataclasses
from typing import Any

import pytest

from portico.adapters.job_trigger.webhook_trigger import (
    HmacSignature,
    JobMapping,
    Secret,
    WebhookConfig,
    WebhookSource,
    WebhookTrigger,
)
from portico.exceptions import ConfigurationError, MissingExtraError
from portico.testing import RecordingJobCreator
from tests.signed_vectors import PUBLIC_KEY
from tests.webhook_sources import HMAC, SECRET, STANDARD_SECRET, receiving, signed, source


@pytest.mark.webhook_case(99)
@pytest.mark.parametrize("secrets", [[], [""], ["   "], [" x" * 16], ["x" * 16 + "\n"], ["x" * 15], ["é" * 7]])
def test_a_secret_that_protects_nothing_is_refused(secrets: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="source 'x'"):
        source("github", secrets=secrets)


def test_a_short_secret_is_a_decision() -> None:
    source("github", secrets=["x" * 8], minimum_secret_bytes=8)


def test_a_secret_alone_is_no_list() -> None:
    with pytest.raises(ConfigurationError, match="list"):
        source("github", secrets=SECRET)


@pytest.mark.parametrize(
    ("provider", "secret"),
    [
        ("standard_webhooks", "whsec_not base64 at all!!"),
        ("standard_webhooks", "whsec_AAAAAAAAAAAAAAAAAAAAAAA="),
        ("standard_webhooks", "whpk_AAAAAAAAAAAAAAAAAAAA"),
        ("standard_webhooks", "whpk_not-base64-not-base64"),
        ("discord", "d75a980182b10ab7d54bfed3c964073a"),
        ("discord", "not hexadecimal, not hexadecimal"),
        ("sendgrid", "AAAAAAAAAAAAAAAAAAAAAAAA"),
        # a key on another curve
        ("sendgrid", "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
    ],
)
def test_a_secret_that_is_no_key_is_refused_and_not_repeated(provider: str, secret: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        source(provider, secrets=[secret])

    assert secret[6:] not in str(caught.value)
    assert caught.value.__cause__ is None


async def _fetch(delivery: Any) -> Any:
    return {}


COROUTINE: Any = _fetch


@pytest.mark.webhook_case(113)
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": "Git_Hub"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a" * 65}, "name"),
        ({"provider": "fax"}, "provider must be one of standard_webhooks"),
        ({"job_type": None}, "job_type"),
        ({"job_type": ""}, "job_type"),
        ({"job_type": "x" * 256}, "job_type"),
        ({"events": {"push": JobMapping}}, "events"),
        ({"priority": True}, "priority"),
        ({"priority": 40_000}, "priority"),
        ({"queue_name": "a b"}, "queue_name"),
        ({"tolerance_seconds": 60}, "tolerance_seconds"),
        ({"tolerance_seconds": 0, "provider": "stripe"}, "tolerance_seconds"),
        ({"tolerance_seconds": 901, "provider": "stripe"}, "tolerance_seconds"),
        ({"minimum_secret_bytes": 0}, "minimum_secret_bytes"),
        ({"max_body_bytes": 0}, "max_body_bytes"),
        ({"replay_guard": "maybe"}, "replay_guard"),
        ({"body_format": "xml"}, "body_format"),
        ({"dedup": "order.id"}, "dedup"),
        ({"dedup": "body:"}, "dedup"),
        ({"dedup": "body:a..b"}, "dedup"),
        ({"event": "somewhere"}, "event"),
        ({"signature": HmacSignature(header="X-Sig")}, "signature"),
        ({"filter": COROUTINE}, "filter"),
        ({"payload": COROUTINE}, "payload"),
        ({"events": {"a": JobMapping(job_type="b", payload=COROUTINE)}}, "payload"),
        ({"topics": ["https://example.com"]}, "topics"),
        ({"provider": "websub"}, "topics"),
        ({"provider": "hmac"}, "signature"),
        ({"provider": "zoom", "events": {"a": "b"}, "secrets": []}, "secret"),
        ({"provider": "twilio"}, "public_url"),
        ({"provider": "square"}, "public_url"),
        ({"provider": "hubspot"}, "public_url"),
        ({"public_url": "/webhooks/sources/x"}, "public_url"),
        ({"public_url": "ftp://example.com/"}, "public_url"),
        ({"public_url": "https://example.com/x?token=1"}, "public_url"),
        ({"public_url": "https://example.com/x#y"}, "public_url"),
        ({"public_url": "https://example.com:port/"}, "public_url"),
        ({"abuse_protection": ["example.com"]}, "abuse_protection"),
        ({"provider": "cloudevents", "abuse_protection": "example.com"}, "abuse_protection"),
        ({"unsafe_no_verification": True}, "leave one of them out"),
        ({"provider": "hmac", "secrets": [], "signature": HMAC, "unsafe_no_verification": True}, "signature"),
        ({"provider": "stripe", "secrets": [], "tolerance_seconds": 9, "unsafe_no_verification": True}, "tolerance"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(settings: dict[str, Any], words: str) -> None:
    described = {"name": "x", "provider": "github", "secrets": [SECRET], "job_type": "a", **settings}

    with pytest.raises(ConfigurationError, match=words):
        WebhookSource(**described)


def test_two_sources_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="'x'"):
        WebhookConfig(sources=[source("github"), source("stripe")])


def test_a_variable_of_the_environment_holds_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", SECRET)
    source("github", secrets=[Secret.from_env("GITHUB_WEBHOOK_SECRET")])

    monkeypatch.delenv("GITHUB_WEBHOOK_SECRET")
    with pytest.raises(ConfigurationError, match="GITHUB_WEBHOOK_SECRET"):
        Secret.from_env("GITHUB_WEBHOOK_SECRET")


def test_a_variable_that_holds_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", "")

    with pytest.raises(ConfigurationError, match="blank"):
        source("github", secrets=[Secret.from_env("GITHUB_WEBHOOK_SECRET")])


@pytest.mark.webhook_case(117)
def test_no_copy_of_a_configuration_shows_a_secret() -> None:
    configured = source("github")
    config = WebhookConfig(sources=[configured])

    for shown in (configured, config, dataclasses.asdict(configured), dataclasses.asdict(config), vars(configured)):
        assert SECRET not in repr(shown)
        assert SECRET not in str(shown)
    assert dataclasses.replace(configured, priority=5).priority == 5


def test_a_public_key_without_its_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from portico.adapters.webhook_signature import asymmetric_keys  # noqa: PLC0415 - what is patched here

    monkeypatch.setitem(__import__("sys").modules, "cryptography.exceptions", None)
    asymmetric_keys._library.cache_clear()

    with pytest.raises(MissingExtraError, match=r"portico-jobs\[signatures\]"):
        source("standard_webhooks", secrets=[PUBLIC_KEY])
    source("standard_webhooks", secrets=[STANDARD_SECRET])


@pytest.mark.webhook_case(101)
@pytest.mark.asyncio
async def test_old_and_new_secrets_count_until_one_is_removed() -> None:
    old, new = "the-old-secret-of-the-source", "the-new-secret-of-the-source"

    async with receiving(source("github", secrets=[old, new])) as receiver:
        for secret in (old, new):
            assert (await receiver.receive(signed("github", secret=secret))).is_success
    async with receiving(source("github", secrets=[new])) as receiver:
        assert (await receiver.receive(signed("github", secret=old))).status_code == 401


class Vault:
    def __init__(self) -> None:
        self.secret: Any = SECRET

    def get(self) -> Any:
        if isinstance(self.secret, Exception):
            raise self.secret
        return self.secret

    async def fetch(self) -> Any:
        await asyncio.sleep(0)
        return self.get()


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["get", "fetch"])
async def test_a_callable_is_asked_for_each_delivery(method: str) -> None:
    vault = Vault()

    async with receiving(source("github", secrets=[getattr(vault, method)])) as receiver:
        first = await receiver.receive(signed("github"))
        vault.secret = ["the-new-secret-of-the-source", Secret("another-secret-of-the-source")]
        rotated = await receiver.receive(signed("github"))
        second = await receiver.receive(signed("github", secret="another-secret-of-the-source"))

    assert (first.status_code, rotated.status_code, second.status_code) == (202, 401, 202)


@pytest.mark.webhook_case(100)
@pytest.mark.asyncio
@pytest.mark.parametrize("given", [LookupError("vault said hunter2"), None, "", "short", [], " " * 20, 5])
async def test_without_a_secret_nothing_is_let_in(given: Any) -> None:
    vault = Vault()
    vault.secret = given

    async with receiving(source("github", secrets=[vault.get])) as receiver:
        response = await receiver.receive(signed("github"))
        health = receiver.trigger.get_health()

    assert response.status_code == 503
    assert response.json()["code"] == "secret_unavailable"
    assert int(response.headers["Retry-After"]) >= 1
    assert "hunter2" not in response.text
    assert receiver.jobs == []
    assert health.errors_count == 1


def test_the_queues_and_job_types_of_sources_are_known() -> None:
    sources = [
        source("github", queue_name="code"),
        WebhookSource(
            name="y",
            provider="stripe",
            secrets=[SECRET],
            events={"a": JobMapping(job_type="b", queue_name="money"), "c": "d"},
        ),
    ]
    trigger = WebhookTrigger(RecordingJobCreator(), WebhookConfig(allowed_job_types=["e"], sources=sources))

    assert trigger.queue_names == {"code", "money", "default"}
    assert trigger.job_types >= {"b", "d", "e"}
    assert "POST /webhooks/sources/y  -> b, d" in trigger.summary
