"""What a provider is told about its delivery; most of them look at the status alone."""

import json
from collections.abc import Callable, Sequence
from copy import copy
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
_FAILED_RETRY_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What became of a delivery that was let in; what `response` is given."""

    outcome: EventOutcome
    delivery_id: str | None
    """What identifies it at the provider; None also where several were in one body."""
    jobs: Sequence[Job]
    data: Any
    """The decoded body; None where several deliveries were in one."""


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


def own_answer(respond: Answer, settled: Settled) -> Response:
    """Return what a source's own function answers.

    Raises:
        TypeError: it returned no response.

    """
    response: Any = respond(settled)
    if not isinstance(response, Response):
        message = f"response of a webhook source must return a Response, not {type(response).__name__}"
        raise TypeError(message)
    # it may give the same object to all, and header fields are added to it
    own = copy(response)
    own.raw_headers = [*response.raw_headers]
    return own


def refusal_of(error: Exception, *, failed_status: int = 500) -> Told:
    """Return the answer to a delivery that got no job; `failed_status` is for what is not the sender's fault."""
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
    answer = creation_failure(error)
    if answer.code != "job_creation_failed" or answer.status_code == failed_status:
        return answer
    headers = {"Retry-After": str(_FAILED_RETRY_SECONDS)}
    return Told(failed_status, answer.detail, code=answer.code, headers=headers)


def _json(settled: Settled, status_code: int) -> Response:
    content = {
        "status": _STATUS_TEXT.get(settled.outcome, "ignored"),
        "delivery_id": settled.delivery_id,
        "jobs": [{"job_id": str(job.id), "job_type": job.job_type} for job in settled.jobs],
    }
    return JsonAnswer(content, status_code, {})
