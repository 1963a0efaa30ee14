"""From an HTTP call to the request that it brings."""

from typing import Any

from fastapi import Request

from portico.adapters.http.authentication import StandardWebhooks, authenticate
from portico.adapters.http.body import read_body
from portico.adapters.http.compression import decompressed
from portico.adapters.http.gate import Gate
from portico.adapters.http.head import Head
from portico.adapters.http.idempotency import read_idempotency_key
from portico.adapters.http.job_request import Call, WebhookJobRequest, job_request, request_model
from portico.adapters.http.json_body import Decode
from portico.adapters.http.media_type import require_json_type
from portico.adapters.http.problems import Refusal
from portico.adapters.http.redaction import kept_headers, secret_headers
from portico.adapters.http.traceparent import read_traceparent
from portico.adapters.http.webhook_config import WebhookConfig
from portico.ports.clock import Clock
from portico.runtime.deadlines import Deadlines


class JobRequestReader:
    """Reads a job request strictly: each way to be wrong is told apart, and none of them is guessed around."""

    def __init__(self, config: WebhookConfig, gate: Gate, decode: Decode, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._gate = gate
        self._decode = decode
        self._deadlines = Deadlines(config.body_timeout_seconds)
        self._secret_headers = secret_headers(config)
        self.model = request_model(config.priority_range, config.extra_fields)

    async def read(self, request: Request, call: Call) -> WebhookJobRequest:
        """Return what the caller asks for, and write on `call` what is learnt on the way, cheap questions first.

        Raises:
            Refusal: the caller may not, or its body cannot be read or is not declared as JSON.
            ValidationError: the body is not strict JSON, or not a job request.

        """
        config = self._config
        head = self._gate.head_of(request)
        await self._gate.check(request, head)
        body = await read_body(
            request,
            head,
            max_bytes=config.max_body_bytes,
            deadlines=self._deadlines,
            encodings=config.accept_content_encodings,
        )
        if config.auth is not None:
            call.principal = await authenticate(config.auth, request, self._clock.now())
        call.is_stranger = False
        if config.delivery_log != "off":
            call.headers = kept_headers(head, request.scope["path"], self._secret_headers)
        if config.delivery_log == "full":
            call.body = body
        # behind the authentication, which is over the bytes as they were sent
        value = await self.value_of(body, head.get(b"content-encoding"))
        # after decoding: what is not JSON is a 400, whatever it says it is
        require_json_type(head)
        if config.idempotency != "off":
            call.idempotency_key = self._key_of(head)
        if config.trust_traceparent:
            call.traceparent = read_traceparent(head)
        return job_request(value, call, self.model)

    async def value_of(self, body: bytes, encoding: str | None) -> Any:
        """Return what a body says, which was compressed as `encoding` says.

        Raises:
            Refusal: it is too large.
            ValidationError: it is not strict JSON, or not compressed so.

        """
        return await self._decode(await decompressed(body, encoding, max_bytes=self._config.max_body_bytes))

    def _key_of(self, head: Head) -> str | None:
        key = read_idempotency_key(head)
        if key is None and isinstance(self._config.auth, StandardWebhooks):
            # it is signed: whoever sends a request again that it has listened to makes no second job
            key = head.get(b"webhook-id")
        if key is None and self._config.idempotency == "required":
            raise Refusal(400, "Idempotency-Key is required", code="idempotency_key_missing")
        return key
