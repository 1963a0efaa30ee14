"""Signed deliveries through real servers, whose parsers differ in what they let in."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware

from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookTrigger
from portico.testing import RecordingJobCreator, SignedDelivery, sign
from tests.webhook_sources import SECRET, source

pytestmark = pytest.mark.asyncio

PATH = "/behind/inner/webhooks/sources/x"
PUBLIC_URL = "https://hooks.example.com/behind/inner/webhooks/sources/x"


async def _read_the_body(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    await request.body()
    return await call_next(request)


def _application(trigger: WebhookTrigger) -> FastAPI:
    inner = FastAPI()
    inner.include_router(trigger.router)
    inner.add_middleware(BaseHTTPMiddleware, dispatch=_read_the_body)
    outer = FastAPI()
    outer.add_middleware(GZipMiddleware, minimum_size=1)
    outer.mount("/inner", inner)
    return outer


@asynccontextmanager
async def _serving(creator: RecordingJobCreator, http: str) -> AsyncIterator[int]:
    """Yield the port of a server under a root path, with a sub-application and middleware that reads bodies."""
    trigger = WebhookTrigger(creator, WebhookConfig(sources=[source("twilio", public_url=PUBLIC_URL)]))
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        _application(trigger),
        http=http,
        root_path="/behind",
        log_config=None,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    await trigger.start()
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await serving
        listener.close()
        await trigger.stop()


async def _status(port: int, headers: list[tuple[str, bytes]], body: bytes) -> int:
    lines = [f"POST {PATH.removeprefix('/behind')}?a=1&b=%2F HTTP/1.1".encode(), b"Host: evil.example"]
    lines += [name.encode() + b": " + value for name, value in headers]
    lines += [b"Connection: close", b"Content-Length: %d" % len(body)]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        await writer.drain()
        answer = await asyncio.wait_for(reader.readline(), 5)
    finally:
        writer.close()
    return int(answer.split()[1])


def _fields(delivery: SignedDelivery) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in delivery.headers.items()]


@pytest.mark.webhook_case(113, 121)
@pytest.mark.parametrize("http", ["h11", "httptools"])
async def test_a_signed_delivery_passes_and_a_touched_one_does_not(http: str) -> None:
    pytest.importorskip(http)
    creator = RecordingJobCreator()
    delivery = sign("twilio", SECRET, {"MessageSid": "SM1"}, public_url=PUBLIC_URL, query="a=1&b=%2F")
    fields = _fields(delivery)
    signature = dict(fields)["x-twilio-signature"]
    without = [field for field in fields if field[0] != "x-twilio-signature"]

    async with _serving(creator, http) as port:
        assert await _status(port, fields, delivery.body) == 200
        for changed in (
            without,
            [*fields, ("X-Twilio-Signature", signature)],
            [*fields, ("x-twilio-signature", b"AAAA")],
            [*without, ("x-twilio-signature", signature + b"\xe9")],
            [*without, ("x-twilio-signature", b"")],
            [*without, ("x-twilio-signature", signature[:-4])],
        ):
            assert await _status(port, changed, delivery.body) == 401
        assert await _status(port, fields, delivery.body + b"&a=1") == 401

    assert len(creator.jobs) == 1
