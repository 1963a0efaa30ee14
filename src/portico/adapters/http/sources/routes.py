"""The routes of a source."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from portico.adapters.http.sources import openapi
from portico.adapters.http.sources.reading import SourceReader
from portico.adapters.http.sources.replay_guard import ReplayGuard


class SourceRoutes:
    """The endpoints of one source, and what is known of it while it is served."""

    def __init__(
        self,
        reader: SourceReader,
        receive: Callable[["SourceRoutes", Request], Awaitable[Response]],
        answer_question: Callable[[Request], Awaitable[Response]],
    ) -> None:
        self.reader = reader
        self.replay_guard = ReplayGuard(reader.source)
        self._receive = receive
        self._answer_question = answer_question

    async def post(self, http_request: Request) -> Response:
        """Take a delivery."""
        return await self._receive(self, http_request)

    async def ask(self, http_request: Request) -> Response:
        """Answer a hub that asks whether a subscription is wanted, or a sender that asks whether it may deliver."""
        return await self._answer_question(http_request)

    def add_to(self, router: APIRouter) -> None:
        """Add what the provider calls."""
        source = self.reader.source
        path = f"/sources/{source.name}"
        options: dict[str, Any] = {"response_model": None, "tags": ["webhook sources"]}
        router.add_api_route(
            path, self.post, methods=["POST"], name=f"receive_{source.name}", **openapi.delivery(source), **options
        )
        if source.described_provider.has_topics:
            router.add_api_route(
                path, self.ask, methods=["GET"], name=f"confirm_{source.name}", **openapi.challenge(), **options
            )
        if source.abuse_protection:
            router.add_api_route(
                path, self.ask, methods=["OPTIONS"], name=f"permit_{source.name}", **openapi.permission(), **options
            )
