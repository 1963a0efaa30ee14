"""What is asked of a source with GET or OPTIONS, before anything is delivered."""

from collections.abc import Callable

from fastapi import HTTPException, Request, Response

from portico.adapters.http.answers import completed, not_running, refused
from portico.adapters.http.calls import Calls
from portico.adapters.http.gate import Gate
from portico.adapters.http.sources.handshakes import delivery_permission, websub_challenge
from portico.adapters.http.sources.source_config import WebhookSource
from portico.runtime.quotas import Quota


class SourceQuestions:
    """Answers whether a subscription is wanted, or whether a sender may deliver.

    Args:
        source: that is asked.
        calls: names requests.
        gate: what is asked of every request.
        quota_of: returns the quota of a job type, if it has one.
        is_running: tells whether deliveries are taken.

    """

    def __init__(
        self,
        source: WebhookSource,
        calls: Calls,
        gate: Gate,
        *,
        quota_of: Callable[[str], Quota | None],
        is_running: Callable[[], bool],
    ) -> None:
        self._source = source
        self._calls = calls
        self._gate = gate
        self._quota_of = quota_of
        self._is_running = is_running

    async def answer(self, http_request: Request) -> Response:
        """Answer one question."""
        call = self._calls.of(http_request, is_stranger=True)
        try:
            if not self._is_running():
                raise not_running()
            self._gate.head_of(http_request)
            self._gate.require_address(http_request, self._source.networks)
        except HTTPException as answer:
            return refused(answer, call)
        if http_request.method == "OPTIONS":
            sender = http_request.headers.get("webhook-request-origin", "").lower()
            return completed(delivery_permission(sender, self._source.senders, self._requests_per_minute()), call)
        return completed(websub_challenge(http_request.query_params, self._source.topics), call)

    def _requests_per_minute(self) -> int | None:
        source = self._source
        quotas = [source.quota, *(self._quota_of(mapping.job_type) for mapping in source.all_mappings)]
        rates = (max(1, int(quota.limit * 60 / quota.window_seconds)) for quota in quotas if quota is not None)
        return min(rates, default=None)
