"""Jobs from HTTP calls."""

import traceback
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, ClassVar
from weakref import WeakValueDictionary

from fastapi import APIRouter, HTTPException, Request, Response
from typing_extensions import override

from portico.adapters.http import openapi
from portico.adapters.http.answers import Told, accepted, creation_failure, not_running, refusal
from portico.adapters.http.job_request import JobRequestReader, WebhookJobRequest
from portico.adapters.http.webhook_config import WebhookConfig
from portico.adapters.store.memory.rate_limiter import MemoryRateLimiter
from portico.ports.clock import Clock
from portico.ports.event_inbox import EventInbox
from portico.ports.job import Job
from portico.ports.job_creator import JobCreator, JobRequest
from portico.ports.rate_limiter import RateLimiter
from portico.ports.trigger_store import TriggerStore
from portico.runtime.events import Event
from portico.runtime.intake.allow_list import AllowList
from portico.runtime.intake.json_payload import require_json_payload
from portico.runtime.intake.names import require_job_type_of_sane_length, shown
from portico.runtime.intake.payload_schema import PayloadSchemas
from portico.runtime.intake.priority import PriorityMap
from portico.runtime.intake.rate_limit import RateLimit
from portico.runtime.intake.steps import IntakeStep
from portico.runtime.receiving import ReceivingTrigger
from portico.runtime.service import StoppingError, describe
from portico.utils.logging import get_logger

__all__ = ["WebhookConfig", "WebhookJobRequest", "WebhookTrigger"]

logger = get_logger(__name__)

_SERVER_ERROR = 500
_SHOWN_FRAMES = 20
# the same request may pass later: these say nothing about the event
_FOR_NOW = frozenset({408, 429})


class WebhookTrigger(ReceivingTrigger):
    """Creates a job for each call of ``POST {prefix}/jobs`` on `router`.

    Args:
        job_creator: creates the jobs.
        config: where it listens and what it lets in.
        payload_schemas: from job type to a pydantic model, a dataclass or a `TypedDict` for its payload.
        max_requests_per_minute: for each job type, in any minute; None is unlimited.
        priority_map: from job type to the priority that its jobs get, whatever the request says.
        name: part of keys, health and logs; two triggers need two names.
        clock: the time.
        store: a webhook has no cursor; it is opened and closed like any trigger's.
        inbox: where each request is recorded with what became of it.
        rate_limiter: counts for `max_requests_per_minute`; by default for this process alone.

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
        name: str | None = None,
        clock: Clock | None = None,
        store: TriggerStore | None = None,
        inbox: EventInbox | None = None,
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        super().__init__(job_creator, name=name, clock=clock, store=store, inbox=inbox)
        self.config = config or WebhookConfig()
        self._steps: tuple[IntakeStep, ...] = (
            AllowList(self.config.allowed_job_types),
            require_job_type_of_sane_length,
            require_json_payload,
            PayloadSchemas(payload_schemas or {}),
            PriorityMap(priority_map or {}),
        )
        if max_requests_per_minute is not None:
            limiter = rate_limiter or MemoryRateLimiter(clock=self._clock)
            # the last: what another step refuses takes nothing from the limit
            self._steps += (RateLimit(limiter, max_requests_per_minute, self._rate_key),)
        self._reader = JobRequestReader(
            max_body_bytes=self.config.max_body_bytes, body_timeout_seconds=self.config.body_timeout_seconds
        )
        self._counted: WeakValueDictionary[int, Job] = WeakValueDictionary()
        self.router = self._build_router()

    @property
    @override
    def summary(self) -> str:
        allowed = ", ".join(self.config.allowed_job_types or ()) or "every job type"
        return f"POST {self.config.prefix}/jobs  -> {allowed}"

    def example_request(self, known_types: Sequence[str] = ()) -> tuple[str, dict[str, Any]]:
        """Return the path and the body of a request that is let in, for one of `known_types` if none is listed."""
        job_type = next(iter(self.config.allowed_job_types or known_types), "email.send")
        return f"{self.config.prefix}/jobs", {"job_type": job_type, "payload": {}}

    @property
    @override
    def _intake(self) -> Sequence[IntakeStep]:
        return self._steps

    async def _create_job_endpoint(self, request: WebhookJobRequest) -> Job:
        """Create the job of a request; open to subclasses, called by the route, and works without a start.

        Raises:
            HTTPException: what the caller is told instead.

        """
        event = Event(source_id=request.idempotency_key)
        try:
            asked_for = await self._take_in(self._job_request(request))
        except Exception as error:
            raise await self._told(refusal(error), error, request, event) from error
        try:
            job = await self._create(event, asked_for)
        except Exception as error:
            raise await self._told(creation_failure(error), error, request, event) from error
        if isinstance(job, Job):
            self._counted[id(job)] = job
        return job

    async def _receive(self, http_request: Request) -> Response:
        if not self.is_running:
            raise not_running()
        request: WebhookJobRequest | None = None
        try:
            request = await self._reader.read(http_request)
            job = await self._call(partial(self._create_job_endpoint, request))
        except Told:
            raise
        except StoppingError as error:
            raise not_running() from error
        except HTTPException as answer:
            await self._settle(answer, answer, request, Event())
            raise
        except Exception as error:
            raise await self._told(creation_failure(error), error, request, Event()) from error
        self._count_once(job)
        return accepted(job, request)

    async def _told(self, answer: Told, error: Exception, request: WebhookJobRequest | None, event: Event) -> Told:
        await self._settle(answer, error, request, event)
        return answer

    async def _settle(
        self, answer: HTTPException, error: Exception, request: WebhookJobRequest | None, event: Event
    ) -> None:
        """Count, log and record a request that got no job."""
        job_type = None if request is None else shown(request.job_type)
        if answer.status_code >= _SERVER_ERROR:
            self._settle_failure(error, job_type)
            return
        # the words of an overridden endpoint may hold the payload
        is_ours = isinstance(answer, Told) or request is None
        reason = answer.detail if is_ours else f"HTTP {answer.status_code}"
        logger.warning(
            "invalid_webhook_request",
            trigger=self._name,
            job_type=job_type,
            status=answer.status_code,
            reason=reason,
        )
        if answer.status_code in _FOR_NOW:
            self._refuse_for_now()
        else:
            await self._refuse(event, reason)

    def _settle_failure(self, error: Exception, job_type: str | None) -> None:
        self._failed(error)
        logger.error(
            "webhook_job_creation_failed",
            trigger=self._name,
            job_type=job_type,
            error=describe(error),
            # frames without the message and without locals: both may hold the payload
            traceback="".join(traceback.format_tb(error.__traceback__, limit=-_SHOWN_FRAMES)),
        )

    def _count_once(self, job: Job | None) -> None:
        """Count what an overridden endpoint created without `super()`."""
        if isinstance(job, Job) and self._counted.get(id(job)) is not job:
            self._count(job)

    def _job_request(self, request: WebhookJobRequest) -> JobRequest:
        key = request.idempotency_key
        return JobRequest(
            job_type=request.job_type,
            payload=request.payload,
            queue_name=request.queue_name,
            priority=request.priority,
            metadata={} if key is None else {"idempotency_key": self._key(request.job_type, key)},
        )

    def _rate_key(self, job_type: str) -> str:
        return self._key(job_type, "requests")

    def _build_router(self) -> APIRouter:
        # FastAPI's route, not Starlette's, which would be faster: the latter drops the dependencies, often the
        # authentication, that an application gives to include_router
        router = APIRouter(prefix=self.config.prefix)
        for path, in_schema in (("/jobs", True), ("/jobs/", False)):
            router.add_api_route(
                path,
                self._receive,
                methods=["POST"],
                status_code=202,
                response_model=None,
                include_in_schema=in_schema,
                name="create_job",
                responses=openapi.responses(),
                openapi_extra=openapi.request(WebhookJobRequest),
            )
        return router

    @override
    def _settings(self) -> dict[str, Any]:
        return {"prefix": self.config.prefix, "allowed_types": self.config.allowed_job_types}

    @override
    async def _open(self, stack: AsyncExitStack) -> None:
        await super()._open(stack)
        if not self.config.allowed_job_types:
            logger.warning("webhook_allows_every_job_type", trigger=self._name, prefix=self.config.prefix)
