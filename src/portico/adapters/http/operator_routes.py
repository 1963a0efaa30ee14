"""What is asked of a webhook by those who run it: health, jobs, and the delivery log."""

import base64
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, HTTPException, Request, Response

from portico.adapters.http import operator_openapi
from portico.adapters.http.answers import answer_fields, not_running, refused
from portico.adapters.http.authentication import Authenticate, authenticate, described_security
from portico.adapters.http.body import read_body
from portico.adapters.http.calls import Calls
from portico.adapters.http.delivery_log import DeliveryLog, source_of
from portico.adapters.http.failures import log_failed_operation
from portico.adapters.http.gate import Gate
from portico.adapters.http.problems import Refusal
from portico.adapters.http.readiness import Readiness
from portico.adapters.http.webhook_config import WebhookConfig
from portico.exceptions import ConflictError, ResourceNotFoundError, ValidationError
from portico.ports.clock import Clock
from portico.ports.event_inbox import EventOutcome, InboxEvent
from portico.ports.job import Job
from portico.runtime.deadlines import Deadlines
from portico.runtime.service import StoppingError
from portico.runtime.trigger import BaseTrigger
from portico.utils.logging import get_logger

logger = get_logger(__name__)

Respond = Callable[[Request], Awaitable[Response]]

_MAX_LISTED = 1_000
_UNAVAILABLE = Refusal(503, "The store does not answer now", code="store_unavailable", headers={"Retry-After": "5"})


class OperatorRoutes:
    """The routes that tell and change nothing without being asked for: each exists only where it was configured.

    Args:
        trigger: whose routes they are.
        config: which of them there are, and who may call them.
        gate: what is asked of every request.
        calls: names requests.
        clock: the time.
        deliveries: returns the delivery log.
        replay: takes a delivery again, while webhooks are taken.

    """

    def __init__(  # noqa: PLR0913 - a trigger's parts, put together in one place
        self,
        trigger: BaseTrigger,
        *,
        config: WebhookConfig,
        gate: Gate,
        calls: Calls,
        clock: Clock,
        deliveries: Callable[[], DeliveryLog],
        replay: Callable[[UUID], Awaitable[Sequence[Job]]],
    ) -> None:
        self._trigger = trigger
        self._config = config
        self._gate = gate
        self._calls = calls
        self._clock = clock
        self._deliveries = deliveries
        self._replay = replay
        self._readiness = Readiness(trigger, clock)
        self._deadlines = Deadlines(config.body_timeout_seconds)

    def add_to(self, router: APIRouter) -> None:
        """Add those that are configured."""
        if self._config.health_routes:
            self._add(router, "/health", self._tell_health, operator_openapi.health("webhook_health"))
            self._add(router, "/health/ready", self._tell_readiness, operator_openapi.health("webhook_readiness"))
        if (auth := self._config.status_auth) is not None:
            self._add_guarded(router, auth, "/jobs/{job_id}", self._show_job, operator_openapi.job())
        if (auth := self._config.admin_auth) is not None:
            self._add_guarded(router, auth, "/deliveries", self._list, operator_openapi.deliveries())
            self._add_guarded(router, auth, "/deliveries/{delivery_id}", self._show, operator_openapi.delivery())
            replay = operator_openapi.replay()
            self._add_guarded(router, auth, "/deliveries/{delivery_id}/replay", self._replay_one, replay)

    @staticmethod
    def _add(router: APIRouter, path: str, endpoint: Respond, described: Mapping[str, Any], **more: Any) -> None:
        router.add_api_route(path, endpoint, response_model=None, tags=["webhook operation"], **described, **more)

    def _add_guarded(
        self, router: APIRouter, auth: Authenticate, path: str, respond: Respond, described: Mapping[str, Any]
    ) -> None:
        async def endpoint(request: Request) -> Response:
            return await self._answer(request, auth, respond)

        self._add(router, path, endpoint, described, dependencies=described_security(auth))

    async def _answer(self, request: Request, auth: Authenticate, respond: Respond) -> Response:
        call = self._calls.of(request)
        try:
            response = await self._respond(request, auth, respond)
        except Exception as error:  # noqa: BLE001 - the one place that answers
            answer = _answer_to(error)
            path = request.scope["route"].path
            if answer is _UNAVAILABLE:
                log_failed_operation(error, trigger=self._trigger.name, path=path, request_id=call.request_id)
            else:
                logger.warning(
                    "webhook_operation_refused",
                    trigger=self._trigger.name,
                    path=path,
                    status=answer.status_code,
                    error=answer.detail,
                    request_id=call.request_id,
                )
            return refused(answer, call)
        response.headers.update(answer_fields(call))
        return response

    async def _respond(self, request: Request, auth: Authenticate, respond: Respond) -> Response:
        head = self._gate.head_of(request)
        with self._gate.slot():
            await self._gate.check(request, head)
            # an authentication may look at the body: there is never more of it than this
            await read_body(
                request,
                head,
                max_bytes=self._config.max_body_bytes,
                deadlines=self._deadlines,
            )
            await authenticate(auth, request, self._clock.now())
            return await respond(request)

    async def _tell_health(self, _request: Request) -> Response:
        return _health(is_well=self._trigger.is_running)

    async def _tell_readiness(self, _request: Request) -> Response:
        return _health(is_well=self._trigger.is_running and await self._readiness.is_ready())

    async def _show_job(self, request: Request) -> Response:
        job = await self._trigger.job_creator.get_job(_id_in(request, "job_id"))
        if job is None:
            raise _not_found()
        return _json(_described_job(job))

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        found = await self._deliveries().list(
            source=query.get("source"),
            outcome=_outcome(query.get("outcome")),
            limit=_limit(query.get("limit", "100")),
            before=_before(query.get("before")),
        )
        return _json({"deliveries": [_described(event) for event in found]})

    async def _show(self, request: Request) -> Response:
        event = await self._deliveries().show(_id_in(request, "delivery_id"))
        body = None if event.body is None else base64.b64encode(event.body).decode()
        return _json({**_described(event), "body_base64": body})

    async def _replay_one(self, request: Request) -> Response:
        jobs = await self._replay(_id_in(request, "delivery_id"))
        return _json({"jobs": [{"job_id": str(job.id), "job_type": job.job_type} for job in jobs]}, 202)


def location_of(job: Job, request: Request) -> str:
    """Return where the job that a request got can be asked for; never made from the Host header."""
    return f"{quote(request.scope['path'].rstrip('/'))}/{job.id}"


def _health(*, is_well: bool) -> Response:
    return _json({"status": "ok" if is_well else "unavailable"}, 200 if is_well else 503)


def _described_job(job: Job) -> dict[str, Any]:
    # neither what it was given, nor what it returned, nor why it failed: these are for the log
    times = {name: getattr(job, name) for name in operator_openapi.JOB_TIMES}
    return {
        "job_id": str(job.id),
        "job_type": job.job_type,
        "queue_name": job.queue_name,
        "priority": job.priority,
        "status": job.status.value,
        "retry_count": job.retry_count,
        **{name: None if time is None else time.isoformat() for name, time in times.items()},
    }


def _described(event: InboxEvent) -> dict[str, Any]:
    return {
        "id": str(event.id),
        "source": source_of(event),
        "delivery_id": event.source_id,
        "received_at": event.received_at.isoformat(),
        "outcome": event.outcome.value,
        "reason": event.reason,
        "job_ids": [str(job_id) for job_id in event.job_ids],
        "headers": dict(event.headers),
    }


def _id_in(request: Request, name: str) -> UUID:
    try:
        return UUID(request.path_params[name])
    except ValueError:
        raise _not_found() from None


def _outcome(text: str | None) -> EventOutcome | None:
    try:
        return None if text is None else EventOutcome(text)
    except ValueError:
        raise ValidationError(f"outcome must be one of {', '.join(EventOutcome)}") from None


def _limit(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= len(str(_MAX_LISTED)) and 1 <= int(text) <= _MAX_LISTED:
        return int(text)
    raise ValidationError(f"limit must be a number from 1 to {_MAX_LISTED}")


def _before(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise ValidationError("before must be the id of a delivery") from None


def _answer_to(error: Exception) -> HTTPException:
    if isinstance(error, HTTPException):
        return error
    if isinstance(error, StoppingError):
        return not_running()
    if isinstance(error, ValidationError):
        return Refusal(400, str(error), code="invalid_request")
    if isinstance(error, ResourceNotFoundError):
        return _not_found()
    if isinstance(error, ConflictError):
        return Refusal(409, str(error), code="conflict")
    return _UNAVAILABLE


def _not_found() -> Refusal:
    return Refusal(404, "Not found", code="not_found")


def _json(content: Mapping[str, Any], status_code: int = 200) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(json.dumps(content).encode(), status_code, headers, media_type="application/json")
