"""Questions that providers ask before, or between, deliveries; none of them becomes a job."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse, PlainTextResponse

from portico.adapters.webhook_signature.scheme import Key

_MAX_CHALLENGE_LENGTH = 1_024
_PLAIN_TOKEN = re.compile(r"[A-Za-z0-9_.~+/=-]{1,256}")
_DISCORD_EVENT_PING = 0
_DISCORD_PING = 1


def slack_challenge(data: Any, _key: Key) -> Response | None:
    """Answer `url_verification`."""
    if not isinstance(data, dict) or data.get("type") != "url_verification":
        return None
    return echo(data.get("challenge"))


def discord_ping(data: Any, _key: Key) -> Response | None:
    """Answer PING, of interactions and of webhook events."""
    kind = data.get("type") if isinstance(data, dict) else None
    if kind == _DISCORD_EVENT_PING and kind is not False:
        return Response(status_code=204)
    if kind == _DISCORD_PING and kind is not True and "event" not in data:
        return JSONResponse({"type": _DISCORD_PING})
    return None


def zoom_validation(data: Any, key: Key) -> Response | None:
    """Answer `endpoint.url_validation` with the proof that the secret is known here."""
    if not isinstance(data, dict) or data.get("event") != "endpoint.url_validation":
        return None
    payload = data.get("payload")
    token = payload.get("plainToken") if isinstance(payload, dict) else None
    # nothing but a token is signed, so that nobody is helped to sign something else
    if not isinstance(token, str) or not _PLAIN_TOKEN.fullmatch(token):
        return Response(status_code=400)
    _, proof = key.sign(token.encode())
    return JSONResponse({"plainToken": token, "encryptedToken": proof.hex()})


def websub_challenge(query: Mapping[str, str], topics: Collection[str]) -> Response:
    """Confirm a subscription to a topic that is wanted, or the end of one that is not; else there is nothing here."""
    is_wanted = query.get("hub.topic") in topics
    # whoever else asks to end it must not succeed while the topic is wanted
    if query.get("hub.mode") != ("subscribe" if is_wanted else "unsubscribe"):
        return JSONResponse({"detail": "Not Found"}, 404)
    return echo(query.get("hub.challenge"))


def delivery_permission(sender: str, senders: Collection[str], requests_per_minute: int | None) -> Response:
    """Say whether a sender may deliver, and how fast, as CloudEvents' specification of webhooks has it."""
    allowed = "*" if "*" in senders else sender
    if allowed not in senders:
        # no consent is in the absence of the fields, whatever the status
        return Response(status_code=403, headers={"Allow": "POST"})
    rate = "*" if requests_per_minute is None else str(requests_per_minute)
    return Response(headers={"Allow": "POST", "WebHook-Allowed-Origin": allowed, "WebHook-Allowed-Rate": rate})


def echo(challenge: Any) -> Response:
    """Return the challenge as text that no browser takes for a page."""
    if not isinstance(challenge, str) or not 0 < len(challenge) <= _MAX_CHALLENGE_LENGTH:
        return Response(status_code=400)
    return PlainTextResponse(challenge, headers={"X-Content-Type-Options": "nosniff"})
