"""The description of the routes is true."""

import asyncio
from typing import Any, cast

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from portico.adapters.job_trigger.webhook_trigger import (
    APIKey,
    Basic,
    Bearer,
    StandardWebhooks,
    WebhookConfig,
    WebhookTrigger,
)
from portico.testing import RecordingJobCreator
from tests.unit.adapters.job_trigger.webhooks import JOBS, application
from tests.webhook_sources import STANDARD_SECRET

TOKEN = "a-token-of-the-shop"
CONFIGS = {
    "open": WebhookConfig(),
    "closed": WebhookConfig(allowed_job_types=["email.send"], idempotency="required", auth=Bearer([TOKEN])),
    "plain": WebhookConfig(allowed_job_types=["email.send"], idempotency="off"),
    "watched": WebhookConfig(
        auth=StandardWebhooks([STANDARD_SECRET]),
        status_auth=APIKey([TOKEN]),
        admin_auth=Basic({"root": TOKEN}),
        accept_content_encodings=["gzip"],
    ),
}
# by somebody who may: others are only told that they may not
KNOWN = dict.fromkeys(("/webhooks/deliveries", "/webhooks/deliveries/{delivery_id}"), ("root", TOKEN))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
    missing_required_header,
]


@pytest.mark.webhook_case(122)
@pytest.mark.parametrize("name", CONFIGS)
def test_whatever_is_sent_is_answered_as_described(name: str) -> None:
    trigger = WebhookTrigger(RecordingJobCreator(), CONFIGS[name])
    asyncio.run(trigger.start())
    described = schemathesis.openapi.from_asgi("/openapi.json", application(trigger))
    for operation in (cast("Any", found).ok() for found in described.get_all_operations()):

        @hypothesis.given(case=operation.as_strategy() | operation.as_strategy(schemathesis.GenerationMode.NEGATIVE))
        @settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
        def send(case: Any) -> None:
            is_sound = case.meta.generation.mode is schemathesis.GenerationMode.POSITIVE
            case.call_and_validate(checks=CHECKS, auth=KNOWN.get(case.path) if is_sound else None)

        send()
    asyncio.run(trigger.stop())


@pytest.mark.webhook_case(122)
@pytest.mark.parametrize(
    ("auth", "name", "scheme"),
    [
        (Bearer([TOKEN]), "bearer", {"type": "http", "scheme": "bearer"}),
        (Basic({"shop": TOKEN}), "basic", {"type": "http", "scheme": "basic"}),
        (APIKey([TOKEN], header="X-Key"), "apiKey-X-Key", {"type": "apiKey", "in": "header", "name": "X-Key"}),
        (
            StandardWebhooks([STANDARD_SECRET]),
            "webhookSignature",
            {"type": "apiKey", "in": "header", "name": "webhook-signature"},
        ),
    ],
)
def test_the_document_says_how_to_say_who_asks(auth: Any, name: str, scheme: dict[str, str]) -> None:
    document = application(WebhookTrigger(RecordingJobCreator(), WebhookConfig(auth=auth))).openapi()

    assert document["components"]["securitySchemes"] == {name: scheme}
    assert document["paths"][JOBS]["post"]["security"] == [{name: []}]


@pytest.mark.parametrize("auth", [None, lambda request: "somebody"])
def test_the_document_says_nothing_of_what_is_not_known(auth: Any) -> None:
    document = application(WebhookTrigger(RecordingJobCreator(), WebhookConfig(auth=auth))).openapi()

    assert "securitySchemes" not in document.get("components", {})


def test_each_route_has_its_own_authentication_in_the_document() -> None:
    paths = application(WebhookTrigger(RecordingJobCreator(), CONFIGS["watched"])).openapi()["paths"]

    security = {path: [*operation.get("security", [{}])[0]] for path in paths for operation in paths[path].values()}
    assert security == {
        JOBS: ["webhookSignature"],
        "/webhooks/health": [],
        "/webhooks/health/ready": [],
        f"{JOBS}/{{job_id}}": ["apiKey-X-API-Key"],
        "/webhooks/deliveries": ["basic"],
        "/webhooks/deliveries/{delivery_id}": ["basic"],
        "/webhooks/deliveries/{delivery_id}/replay": ["basic"],
    }


@pytest.mark.webhook_case(122)
def test_no_job_type_is_told_unless_everybody_may_ask_for_it() -> None:
    document = application(WebhookTrigger(RecordingJobCreator(), CONFIGS["closed"])).openapi()

    assert "enum" not in str(document["paths"][JOBS]["post"]["requestBody"])
    assert "a-token" not in str(document)


@pytest.mark.webhook_case(122)
def test_the_document_is_one_of_openapi_3_1_and_its_schemas_are_schemas() -> None:
    document = application(WebhookTrigger(RecordingJobCreator(), CONFIGS["closed"])).openapi()

    assert document["openapi"].startswith("3.1")
    operation = document["paths"][JOBS]["post"]
    bodies = [operation["requestBody"], *operation["responses"].values()]
    for media_type in (media_type for body in bodies for media_type in body.get("content", {}).values()):
        Draft202012Validator.check_schema(media_type["schema"])
    assert {"401", "409", "422"} <= set(operation["responses"])
    assert operation["parameters"][0]["required"] is True


@pytest.mark.parametrize(("name", "absent"), [("open", {"401"}), ("plain", {"401", "409", "422"})])
def test_answers_that_cannot_come_are_not_described(name: str, absent: set[str]) -> None:
    document = application(WebhookTrigger(RecordingJobCreator(), CONFIGS[name])).openapi()

    assert not absent & set(document["paths"][JOBS]["post"]["responses"])
