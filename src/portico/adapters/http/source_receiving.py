"""The part of a webhook trigger that takes other people's deliveries."""

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import pydantic
from fastapi import APIRouter, HTTPException, Request, Response
from typing_extensions import override

from portico.adapters.http.answers import completed, not_running, refused
from portico.adapters.http.calls import Calls
from portico.adapters.http.failures import log_failed_creation
from portico.adapters.http.gate import Gate
from portico.adapters.http.job_limits import JobLimits
from portico.adapters.http.job_request import Call
from portico.adapters.http.json_body import Decode
from portico.adapters.http.problems import Told
from portico.adapters.http.redaction import kept_headers, secret_headers
from portico.adapters.http.source_questions import SourceQuestions
from portico.adapters.http.sources.answers import Settled, own_answer, refusal_of
from portico.adapters.http.sources.delivery import Delivery
from portico.adapters.http.sources.disabled import DisabledSource
from portico.adapters.http.sources.job_mapping import JobMapping
from portico.adapters.http.sources.reading import Mapped, SourceReader, payload_of
from portico.adapters.http.sources.routes import SourceRoutes
from portico.adapters.http.sources.source_config import WebhookSource
from portico.adapters.http.webhook_config import WebhookConfig
from portico.adapters.webhook_signature.signed_request import HeaderFields, SignatureError
from portico.exceptions import ResourceNotFoundError, ValidationError
from portico.ports.event_inbox import EventOutcome
from portico.ports.job import Job
from portico.ports.job_creator import JobRequest
from portico.runtime.events import Event
from portico.runtime.intake.json_payload import require_json_payload
from portico.runtime.intake.names import shown
from portico.runtime.intake.steps import IntakeStep, take_in
from portico.runtime.receiving import ReceivingTrigger
from portico.runtime.service import StoppingError
from portico.runtime.trigger import outcome_of
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_SERVER_ERROR = 500
_GONE = 410
# the same delivery may pass later: these say nothing about it
_FOR_NOW = frozenset({408, 413, 429})


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A delivery and the job it asks for."""

    delivery: Delivery
    request: JobRequest


class SourceReceivingTrigger(ReceivingTrigger):
    """Answers ``{prefix}/sources/{name}``; a subclass has the gate, the limits and the configuration."""

    config: WebhookConfig
    _gate: Gate
    _limits: JobLimits
    _decode: Decode
    _calls: Calls
    _source_routes: dict[str, SourceRoutes]

    @property
    @abstractmethod
    def _job_steps(self) -> Sequence[IntakeStep]:
        """The steps of a job whose type the configuration chose."""

    @property
    @override
    def queue_names(self) -> frozenset[str]:
        return frozenset(
            mapping.queue_name or source.queue_name
            for source in self.config.sources
            for mapping in source.all_mappings
            if source.enabled
        )

    @property
    @override
    def job_types(self) -> frozenset[str]:
        return frozenset(
            mapping.job_type for source in self.config.sources for mapping in source.all_mappings if source.enabled
        )

    def _source_summaries(self) -> list[str]:
        """Say what each source listens to, in a few words for a human."""
        return [
            f"POST {self.config.prefix}/sources/{source.name}  -> "
            + ", ".join(dict.fromkeys(mapping.job_type for mapping in source.all_mappings))
            for source in self.config.sources
            if source.enabled
        ]

    @override
    async def _open(self, stack: AsyncExitStack) -> None:
        await super()._open(stack)
        for source in self.config.sources:
            if source.unsafe_no_verification and source.enabled:
                logger.warning("webhook_source_verifies_nothing", trigger=self._name, source=source.name)

    def _add_source_routes(self, router: APIRouter) -> None:
        self._source_routes = {source.name: self._routes_of(source) for source in self.config.sources if source.enabled}
        for routes in self._source_routes.values():
            routes.add_to(router)
        for source in self.config.sources:
            if not source.enabled and source.disabled_status == _GONE:
                DisabledSource(source, self._calls).add_to(router)

    def _routes_of(self, source: WebhookSource) -> SourceRoutes:
        reader = SourceReader(
            source,
            max_body_bytes=self.config.max_body_bytes,
            body_timeout_seconds=self.config.body_timeout_seconds,
            encodings=self.config.accept_content_encodings,
            decode=self._decode,
            # its user names the signature's field, and may name it anything
            secret_headers=secret_headers(self.config, source.scheme.signature_header),
        )
        questions = SourceQuestions(
            source, self._calls, self._gate, quota_of=self._limits.quota_of, is_running=lambda: self.is_running
        )
        return SourceRoutes(reader, self._receive_delivery, questions.answer)

    async def _receive_delivery(self, routes: SourceRoutes, http_request: Request) -> Response:
        call = self._calls.of(http_request, is_stranger=True)
        try:
            answer = await self._answer_delivery(routes, http_request, call)
        except HTTPException as refusal:
            return refused(refusal, call)
        return completed(answer, call)

    async def _answer_delivery(self, routes: SourceRoutes, http_request: Request, call: Call) -> Response:
        if not self.is_running:
            raise not_running()
        try:
            with self._gate.slot():
                read = await self._read(routes.reader, http_request, call)
                if isinstance(read, Response):
                    return read
                # cut off, it may have happened all the same: it is delivered again under the same key
                seconds = min(self.config.enqueue_timeout_seconds, routes.reader.patience_seconds)
                with self._work(), self._deadline(seconds):
                    return await self._take_deliveries(routes, read, call)
        except StoppingError as error:
            raise not_running() from error
        except Exception as error:
            answer = refusal_of(error, failed_status=routes.reader.source.enqueue_error_status)
            await self._settle_delivery(answer, error, routes.reader, call)
            raise answer from error

    async def _read(self, reader: SourceReader, http_request: Request, call: Call) -> Sequence[Mapped] | Response:
        head = self._gate.head_of(http_request)
        await self._gate.check(http_request, head)
        self._gate.require_address(http_request, reader.source.networks)
        body = await reader.body_of(http_request, head)
        key = await reader.verified(http_request, head, body, self._clock.now())
        call.is_stranger = False
        call.body = body
        call.headers = kept_headers(head, http_request.scope["path"], reader.secret_headers)
        return await reader.deliveries(head, body, key)

    async def _take_deliveries(self, routes: SourceRoutes, read: Sequence[Mapped], call: Call) -> Response:
        jobs = await self._jobs_of(routes, read, call)
        only = read[0].delivery if len(read) == 1 else None
        source = routes.reader.source
        settled = Settled(
            outcome=_outcome_of(jobs),
            delivery_id=None if only is None else only.delivery_id,
            jobs=jobs,
            data=None if only is None else only.data,
        )
        if source.response is None:
            return source.described_provider.answer(settled)
        return own_answer(source.response, settled)

    async def _jobs_of(self, routes: SourceRoutes, read: Sequence[Mapped], call: Call) -> Sequence[Job]:
        asked = [one for mapped in read if (one := await self._asked_for(routes, mapped, call, is_only=len(read) == 1))]
        jobs = await self._create_all(routes.reader.source, asked, call)
        for one, job in zip(asked, jobs, strict=True):
            await self._record_quietly(self._event_of(one.delivery, call), outcome_of(job), jobs=[job])
        return jobs

    async def _replay_delivery(self, name: str, call: Call) -> Sequence[Job]:
        """Take a delivery of the log again, as it is on `call`: it was verified when it came, and makes new jobs.

        Raises:
            ResourceNotFoundError: there is no such source any more.
            HTTPException: it is refused.

        """
        routes = self._source_routes.get(name)
        if routes is None:
            raise ResourceNotFoundError(f"'{self._name}' has no source '{name}'")
        fields = HeaderFields([(key.encode(), value.encode("latin-1")) for key, value in call.headers.items()])
        try:
            read = await routes.reader.deliveries(fields, call.body or b"", None)
            mapped = [] if isinstance(read, Response) else [replace(one, identity=None) for one in read]
            return await self._jobs_of(routes, mapped, call)
        except Exception as error:
            answer = refusal_of(error)
            await self._settle_delivery(answer, error, routes.reader, call)
            raise answer from error

    async def _asked_for(self, routes: SourceRoutes, mapped: Mapped, call: Call, *, is_only: bool) -> _Asked | None:
        """Return the job that a delivery asks for, or None when there is none.

        Of several in one body one that is refused is kept in the inbox, and does not hold up the others.
        """
        source, delivery, mapping = routes.reader.source, mapped.delivery, mapped.mapping
        if mapping is None and source.expects(delivery.event):
            await self._ignore(delivery, f"no job for the event '{shown(delivery.event or '')}'", call)
            return None
        if mapping is not None and source.filter is not None and not source.filter(delivery):
            await self._ignore(delivery, "filtered", call)
            return None
        try:
            request = await self._job_request_of(source, mapping, mapped)
        except (ValidationError, pydantic.ValidationError) as error:
            if is_only:
                raise
            await self._refuse(self._event_of(delivery, call), str(refusal_of(error).detail))
            return None
        routes.replay_guard.notice(delivery, self._name)
        return _Asked(delivery=delivery, request=request)

    async def _job_request_of(self, source: WebhookSource, mapping: JobMapping | None, mapped: Mapped) -> JobRequest:
        if mapping is None:
            raise ValidationError("Event is not expected", details={"code": "event_not_expected"})
        metadata: dict[str, Any] = {}
        if mapped.identity is not None:
            metadata["idempotency_key"] = self._key(mapping.job_type, f"{source.name}:{mapped.identity}")
        request = JobRequest(
            job_type=mapping.job_type,
            payload=payload_of(mapping, source, mapped.delivery),
            queue_name=mapping.queue_name or source.queue_name,
            priority=source.priority if mapping.priority is None else mapping.priority,
            metadata=metadata,
        )
        if mapping.payload or source.payload:
            request = await require_json_payload(request)
        self._last_event_at = self._clock.now()
        return await take_in(request, self._job_steps)

    async def _create_all(self, source: WebhookSource, asked: Sequence[_Asked], call: Call) -> Sequence[Job]:
        # the last question: what is refused before takes nothing from the limit
        if asked and source.quota is not None:
            await self._gate.take("source", f"{self._name}:source:{source.name}:deliveries", source.quota)
        for one in asked:
            await self._limits.take(one.request.job_type, call)
        return await self._submit_many([one.request for one in asked])

    async def _ignore(self, delivery: Delivery, reason: str, call: Call) -> None:
        self._last_event_at = self._clock.now()
        self._counts[EventOutcome.FILTERED] += 1
        await self._record_quietly(self._event_of(delivery, call), EventOutcome.FILTERED, reason=reason)

    async def _settle_delivery(self, answer: Told, error: Exception, reader: SourceReader, call: Call) -> None:
        """Count, log and record a delivery that was refused or failed."""
        if answer.status_code >= _SERVER_ERROR and answer.code != "overloaded":
            self._settle_failure(error, None, call)
            return
        # what was wrong with a signature is for the log alone
        reason = str(error) if isinstance(error, SignatureError) else str(answer.detail)
        logger.warning(
            "webhook_delivery_refused",
            trigger=self._name,
            source=reader.source.name,
            status=answer.status_code,
            reason=reason,
            request_id=call.request_id,
        )
        # whoever recorded one delivery can send it with any unsigned header: that must not reach the store either
        if call.is_stranger or isinstance(error, SignatureError) or answer.status_code in _FOR_NOW:
            self._refuse_for_now()
        else:
            # with its body: who sent it takes a refusal for an end
            await self._refuse(Event(body=call.body, headers=call.headers), reason)

    def _settle_failure(self, error: Exception, job_type: str | None, call: Call) -> None:
        """Count and log a failure that is not the caller's."""
        self._failed(error)
        log_failed_creation(error, trigger=self._name, job_type=job_type, request_id=call.request_id)

    def _event_of(self, delivery: Delivery, call: Call) -> Event:
        body = call.body if self.config.delivery_log == "full" else None
        return Event(source_id=delivery.delivery_id, body=body, headers=call.headers)


def _outcome_of(jobs: Sequence[Job]) -> EventOutcome:
    outcomes = {outcome_of(job) for job in jobs}
    if EventOutcome.ACCEPTED in outcomes:
        return EventOutcome.ACCEPTED
    return EventOutcome.DUPLICATE if outcomes else EventOutcome.FILTERED
