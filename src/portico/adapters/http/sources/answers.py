"""What a provider is told about its delivery; most of them look at the status alone."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Response

from portico.adapters.http.answers import creation_failure
from portico.adapters.http.json_answer import JsonAnswer
from portico.adapters.http.problems import Told
from portico.adapters.webhook_signature.secrets import SecretUnavailableError
from portico.adapters.webhook_signature.signed_request import SignatureError
from portico.ports.event_inbox import EventOutcome
from portico.ports.job import Job

_STATUS_TEXT = {EventOutcome.ACCEPTED: "accepted", EventOutcome.DUPLICATE: "duplicate"}
_DISCORD_COMMAND, _DISCORD_COMPONENT, _DISCORD_MODAL = 2, 3, 5
_DISCORD_DEFERRED = 5
_SECRET_RETRY_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What became of a delivery that was let in."""

    outcome: EventOutcome
    delivery_id: str | None
    jobs: Sequence[Job]
    data: Any


Answer = Callable[[Settled], Response]


def described(settled: Settled) -> Response:
    """Say what was done: 202 when there is something new to do."""
    return _json(settled, 202 if settled.outcome is EventOutcome.ACCEPTED else 200)


def described_as_ok(settled: Settled) -> Response:
    """Say what was done, always with 200: this provider repeats what is answered otherwise."""
    return _json(settled, 200)


def empty(_settled: Settled) -> Response:
    """Say nothing: what is said would be shown to somebody."""
    return Response(status_code=200)


def empty_twiml(_settled: Settled) -> Response:
    """Say that there is nothing to say or play."""
    return Response('<?xml version="1.0" encoding="UTF-8"?><Response/>', 200, media_type="text/xml")


def discord_deferral(settled: Settled) -> Response:
    """Tell the user of an interaction to wait; an event is answered with nothing."""
    kind = settled.data.get("type") if isinstance(settled.data, dict) else None
    if kind in (_DISCORD_COMMAND, _DISCORD_COMPONENT, _DISCORD_MODAL):
        body = json.dumps({"type": _DISCORD_DEFERRED}).encode()
        return Response(body, 200, media_type="application/json")
    return Response(status_code=204)


def refusal_of(error: Exception) -> Told:
    """Return the answer to a delivery that got no job."""
    if isinstance(error, Told):
        return error
    if isinstance(error, SignatureError):
        # the same whatever is wrong: who guesses learns nothing
        return Told(
            401,
            "The signature could not be verified",
            code="signature_invalid",
            headers={"WWW-Authenticate": 'Signature realm="webhooks"'},
        )
    if isinstance(error, SecretUnavailableError):
        headers = {"Retry-After": str(_SECRET_RETRY_SECONDS)}
        return Told(503, "Deliveries cannot be verified now", code="secret_unavailable", headers=headers)
    return creation_failure(error)


def _json(settled: Settled, status_code: int) -> Response:
    content = {
        "status": _STATUS_TEXT.get(settled.outcome, "ignored"),
        "delivery_id": settled.delivery_id,
        "jobs": [{"job_id": str(job.id), "job_type": job.job_type} for job in settled.jobs],
    }
    return JsonAnswer(content, status_code, {})
