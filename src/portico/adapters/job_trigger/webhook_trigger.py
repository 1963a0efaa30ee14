"""Jobs from HTTP calls."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, ClassVar
from uuid import UUID
from weakref import WeakValueDictionary

from fastapi import APIRouter, HTTPException, Request, Response
from typing_extensions import override

from portico.adapters.http import openapi
from portico.adapters.http.answers import accepted, answer_fields, creation_failure, not_running, refusal, refused
from portico.adapters.http.authentication import APIKey, Basic, Bearer, StandardWebhooks, described_security
from portico.adapters.http.calls import Calls
from portico.adapters.http.delivery_log import REPLAY_OF, DeliveryLog, is_of_a_source, source_of
from portico.adapters.http.direct_route import DirectRoute
from portico.adapters.http.gate import Gate
from portico.adapters.http.idempotency import Replays, require_same
from portico.adapters.http.job_limits import JobLimits
from portico.adapters.http.job_request import Call, WebhookJobRequest, job_request
from portico.adapters.http.json_body import JsonBodies
from portico.adapters.http.operator_routes import OperatorRoutes, location_of
from portico.adapters.http.problems import Told
from portico.adapters.http.reading import JobRequestReader
from portico.adapters.http.source_receiving import SourceReceivingTrigger
from portico.adapters.http.sources.answers import Settled
from portico.adapters.http.sources.delivery import Delivery
from portico.adapters.http.sources.job_mapping import JobMapping
from portico.adapters.http.sources.source_config import WebhookSource
from portico.adapters.http.webhook_config import WebhookConfig
from portico.adapters.json_schema import with_json_schemas
from portico.adapters.webhook_signature.generic import HmacSignature
from portico.adapters.webhook_signature.secrets import Secret
from portico.exceptions import AuthorizationError, ValidationError
from portico.ports.clock import Clock
from portico.ports.event_inbox import EventInbox, EventOutcome, InboxEvent
from portico.ports.job import Job
from portico.ports.job_creator import JobCreator, JobRequest
from portico.ports.rate_limiter import RateLimiter
from portico.ports.trigger_store import TriggerStore
from portico.runtime.events import Event
from portico.runtime.intake.allow_list import AllowedQueues, AllowList
from portico.runtime.intake.json_payload import require_json_payload
from portico.runtime.intake.names import require_job_type_of_sane_length, shown
from portico.runtime.intake.payload_schema import PayloadSchemas
from portico.runtime.intake.priority import PriorityMap
from portico.runtime.intake.steps import IntakeStep
from portico.runtime.service import StoppingError
from portico.runtime.trigger import outcome_of
from portico.utils.logging import get_logger

__all__ = [
    "APIKey",
    "Basic",
    "Bearer",
    "Delivery",
    "HmacSignature",
    "JobMapping",
    "Secret",
    "Settled",
    "StandardWebhooks",
    "WebhookConfig",
    "WebhookJobRequest",
    "WebhookSource",
    "WebhookTrigger",
]

logger = get_logger(__name__)

_SERVER_ERROR = 500
# the same request may pass later: these say nothing about the event
_FOR_NOW = frozenset({408, 409, 429})


class WebhookTrigger(SourceReceivingTrigger):
    """Creates a job for each call of ``POST {prefix}/jobs`` on `router`, and for other people's webhooks.

    Args:
        job_creator: creates the jobs.
        config: where it listens and what it lets in.
        payload_schemas: from job type to a pydantic model, a dataclass, a `TypedDict` or a JSON Schema for its payload.
        max_requests_per_minute: for each job type, in any minute; None is unlimited.
        priority_map: from job type to the priority that its jobs get, whatever the request says.
        rate_limits: from job type to a quota such as ``"100/minute"``, over those of `config`.
        name: part of keys, health and logs; two triggers need two names.
        clock: the time.
        store: a webhook has no cursor; it is opened and closed like any trigger's.
        inbox: where each request is recorded with what became of it.
        rate_limiter: counts for all limits; by default the application's, or this process alone.

    """

    kind: ClassVar[str] = "webhook"

    def __init__(  # noqa: PLR0913 - the contract's signature
        self,
        job_creator: JobCreator,
        config: WebhookConfig | None = None,
        payload_schemas: Mapping[str, Any] | None = None,
        max_requests_per_minute: int | None = None,
        priority_map: Mapping[str, int] | None = None,
        *,
        rate_limits: Mapping[str, str] | None = None,
        name: str | None = None,
        clock: Clock | None = None,
        store: TriggerStore | None = None,
        inbox: EventInbox | None = None,
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        super().__init__(job_creator, name=name, clock=clock, store=store, inbox=inbox)
        self.config = config or WebhookConfig()
        self.payload_schemas = dict(payload_schemas or {})
        self._mapped_steps: tuple[IntakeStep, ...] = (
            *((PayloadSchemas(with_json_schemas(payload_schemas)),) if payload_schemas else ()),
            *((PriorityMap(priority_map),) if priority_map else ()),
        )
        allowed = self.config.allowed_job_types
        first = AllowList(allowed) if allowed else require_job_type_of_sane_length
        queues = self.config.allowed_queues
        self._steps: tuple[IntakeStep, ...] = (
            first,
            *(() if queues is None else (AllowedQueues(queues),)),
            *self._mapped_steps,
        )
        self._limits = JobLimits(
            self.config, rate_limits, max_requests_per_minute, rate_limiter, clock=self._clock, key=self._rate_key
        )
        self._gate = Gate(self.config, self._limits.limiter, self._client_rate_key)
        self._decode = JsonBodies(self.config.strict_json).decode
        self._reader = JobRequestReader(self.config, self._gate, self._decode, self._clock)
        self._keeps_events = self.config.delivery_log != "off"
        self._replays = Replays(self._clock)
        self._calls = Calls(self.config.request_id_header)
        self._counted: WeakValueDictionary[int, Job] = WeakValueDictionary()
        self.router = self._build_router()

    @property
    @override
    def summary(self) -> str:
        allowed = ", ".join(self.config.allowed_job_types or ()) or "every job type"
        return "; ".join((f"POST {self.config.prefix}/jobs  -> {allowed}", *self._source_summaries()))

    @property
    @override
    def job_types(self) -> frozenset[str]:
        return super().job_types | set(self.config.allowed_job_types or ())

    @property
    @override
    def queue_names(self) -> frozenset[str]:
        return super().queue_names | set(self.config.allowed_queues or ())

    def example_request(self, known_types: Sequence[str] = ()) -> tuple[str, dict[str, Any]]:
        """Return the path and the body of a request that is let in, for one of `known_types` if none is listed."""
        job_type = next(iter(self.config.allowed_job_types or known_types), "email.send")
        return f"{self.config.prefix}/jobs", {"job_type": job_type, "payload": {}}

    def use_rate_limiter(self, limiter: RateLimiter) -> None:
        """Count with `limiter` where the trigger was built without one; for the composition root."""
        self._limits.count_with(limiter)

    @property
    @override
    def _intake(self) -> Sequence[IntakeStep]:
        return self._steps

    @property
    @override
    def _job_steps(self) -> Sequence[IntakeStep]:
        return self._mapped_steps

    @property
    def deliveries(self) -> DeliveryLog:
        """What came, what became of it, and bringing it again."""
        return DeliveryLog(self.inbox, self._name, self._flush_log, self._replay)

    async def _create_job_endpoint(self, request: WebhookJobRequest) -> Job:
        """Create the job of a request; open to subclasses, called by the route, and works without a start.

        Raises:
            HTTPException: what the caller is told instead.

        """
        call = request.call
        try:
            job = await self._obtain(call, request.payload, await self._admitted(request, call))
        except Exception as error:
            raise await self._told(creation_failure(error), error, request, call) from error
        await self._record_quietly(_event(call), outcome_of(job), jobs=[job])
        if isinstance(job, Job):
            self._counted[id(job)] = job
        return job

    async def _admitted(self, request: WebhookJobRequest, call: Call) -> JobRequest:
        """Return what the steps make of a request."""
        asked_for = self._job_request(request, call)
        try:
            if request.payload is not call.decoded:
                asked_for = await require_json_payload(asked_for)
            return await self._take_in(asked_for)
        except (AuthorizationError, ValidationError) as error:
            raise refusal(error) from error

    async def _obtain(self, call: Call, payload: dict[str, Any], asked_for: JobRequest) -> Job:
        """Return the job of a request: the first one's, when its key was there before."""
        if "idempotency_key" not in asked_for.metadata:
            # the last question: what is refused before takes nothing from the limit
            await self._limits.take(asked_for.job_type, call)
            return await self._submit(asked_for)
        sent = replace(asked_for, payload=payload)
        with self._replays.under_way(sent):
            if (known := self._replays.find(sent)) is not None:
                self._count(known)
                return known
            await self._limits.take(asked_for.job_type, call)
            job = await self._submit(asked_for)
        if outcome_of(job) is EventOutcome.DUPLICATE:
            require_same(job, asked_for, payload)
        elif isinstance(job, Job):
            self._replays.remember(sent, job)
        return job

    async def _receive(self, http_request: Request) -> Response:
        call = self._calls.of(http_request, is_stranger=True)
        try:
            request, job = await self._answer(http_request, call)
        except HTTPException as answer:
            return refused(answer, call)
        self._count_once(job)
        fields = answer_fields(call)
        if self.config.status_auth is not None and isinstance(job, Job):
            fields["Location"] = location_of(job, http_request)
        return accepted(job, request, fields)

    async def _answer(self, http_request: Request, call: Call) -> tuple[WebhookJobRequest, Job]:
        if not self.is_running:
            raise not_running()
        request: WebhookJobRequest | None = None
        try:
            with self._gate.slot():
                request = await self._reader.read(http_request, call)
                # cut off, it may have happened all the same: the caller repeats it with its key
                with self._work(), self._deadline(self.config.enqueue_timeout_seconds):
                    return request, await self._create_job_endpoint(request)
        except Told:
            raise
        except StoppingError as error:
            raise not_running() from error
        except HTTPException as answer:
            await self._settle(answer, answer, request, call)
            raise
        except Exception as error:
            raise await self._told(creation_failure(error), error, request, call) from error

    async def _replay(self, event: InboxEvent) -> Sequence[Job]:
        call = Call(headers={**event.headers, REPLAY_OF: str(event.id)}, body=event.body)
        if is_of_a_source(event):
            return await self._replay_delivery(source_of(event) or "", call)
        try:
            value = await self._reader.value_of(event.body or b"", event.headers.get("content-encoding"))
            request = job_request(value, call, self._reader.model)
        except (HTTPException, ValidationError) as error:
            raise await self._told(refusal(error), error, None, call) from error
        return [await self._create_job_endpoint(request)]

    async def _replay_while_running(self, delivery_id: UUID) -> Sequence[Job]:
        with self._work(), self._deadline(self.config.enqueue_timeout_seconds):
            return await self.deliveries.replay(delivery_id)

    async def _told(self, answer: Told, error: Exception, request: WebhookJobRequest | None, call: Call) -> Told:
        await self._settle(answer, error, request, call)
        return answer

    async def _settle(
        self, answer: HTTPException, error: Exception, request: WebhookJobRequest | None, call: Call
    ) -> None:
        """Count, log and record a request that got no job."""
        job_type = None if request is None else shown(request.job_type)
        if answer.status_code >= _SERVER_ERROR and getattr(answer, "code", None) != "overloaded":
            self._settle_failure(error, job_type, call)
            return
        # the words of an overridden endpoint may hold the payload
        is_ours = isinstance(answer, Told) or request is None
        reason = answer.detail if is_ours else f"HTTP {answer.status_code}"
        logger.warning(
            "invalid_webhook_request",
            trigger=self._name,
            job_type=job_type,
            status=answer.status_code,
            error=reason,
            request_id=call.request_id,
        )
        if call.is_stranger or answer.status_code in _FOR_NOW:
            self._refuse_for_now()
        else:
            await self._refuse(_event(call), reason)

    def _count_once(self, job: Job | None) -> None:
        """Count what an overridden endpoint created without `super()`."""
        if isinstance(job, Job) and self._counted.get(id(job)) is not job:
            self._count(job)

    def _job_request(self, request: WebhookJobRequest, call: Call) -> JobRequest:
        metadata: dict[str, Any] = {}
        if (key := call.scoped_key) is not None:
            metadata["idempotency_key"] = self._key(request.job_type, key)
        if call.traceparent is not None:
            metadata["traceparent"] = call.traceparent
        return JobRequest(
            job_type=request.job_type,
            payload=request.payload,
            queue_name=request.queue_name,
            priority=request.priority,
            metadata=metadata,
        )

    def _rate_key(self, job_type: str) -> str:
        return self._key(job_type, "requests")

    def _client_rate_key(self, client: str) -> str:
        return f"{self._name}:client:{client}"

    def _build_router(self) -> APIRouter:
        router = APIRouter(
            prefix=self.config.prefix, route_class=DirectRoute, include_in_schema=self.config.include_in_schema
        )
        router.add_api_route(
            "/jobs",
            self._receive,
            methods=["POST"],
            status_code=202,
            response_model=None,
            name="create_job",
            dependencies=described_security(self.config.auth),
            responses=openapi.responses(self.config),
            openapi_extra=openapi.request(self._reader.model, self.config, self.payload_schemas),
        )
        self._add_source_routes(router)
        OperatorRoutes(
            self,
            config=self.config,
            gate=self._gate,
            calls=self._calls,
            clock=self._clock,
            deliveries=lambda: self.deliveries,
            replay=self._replay_while_running,
        ).add_to(router)
        return router

    @override
    def _settings(self) -> dict[str, Any]:
        return {"prefix": self.config.prefix, "allowed_types": self.config.allowed_job_types}

    @override
    async def _open(self, stack: AsyncExitStack) -> None:
        await super()._open(stack)
        if not self.config.allowed_job_types:
            self._warn(
                "webhook_allows_every_job_type", "WebhookConfig(allowed_job_types=[...]) lists what may be asked for"
            )
        if self.config.auth is None:
            self._warn("webhook_asks_nobody_who_they_are", "WebhookConfig(auth=Bearer(...)) lets in who has a token")

        if self.config.duplicate_keys != "reject":
            self._warn("webhook_takes_repeated_keys", "other readers of a body may see another value than the last")

    def _warn(self, event: str, hint: str) -> None:
        logger.warning(event, trigger=self._name, prefix=self.config.prefix, hint=hint)


def _event(call: Call) -> Event:
    return Event(source_id=call.idempotency_key, body=call.body, headers=call.headers)
