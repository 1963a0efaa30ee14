"""The routes work wherever and behind whatever an application puts them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, Request, Response
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount

from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookTrigger
from portico.testing import RecordingJobCreator
from tests.unit.adapters.job_trigger.webhooks import JOB, JOBS, application, client_of

pytestmark = pytest.mark.asyncio


async def _read_the_body(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    await request.body()
    return await call_next(request)


def _plain(trigger: WebhookTrigger) -> tuple[Any, str]:
    return application(trigger), ""


def _with_root_path(trigger: WebhookTrigger) -> tuple[Any, str]:
    app = application(trigger)

    async def behind_a_proxy(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "root_path": "/api/v1"}, receive, send)

    return behind_a_proxy, "/api/v1"


def _in_a_sub_application(trigger: WebhookTrigger) -> tuple[Any, str]:
    return Starlette(routes=[Mount("/inner", app=application(trigger))]), "/inner"


def _in_nested_routers(trigger: WebhookTrigger) -> tuple[Any, str]:
    outer, inner = APIRouter(prefix="/outer"), APIRouter(prefix="/inner")
    inner.include_router(trigger.router)
    outer.include_router(inner)
    app = FastAPI()
    app.include_router(outer)
    return app, "/outer/inner"


def _under_a_parameter(trigger: WebhookTrigger) -> tuple[Any, str]:
    app = FastAPI()
    app.include_router(trigger.router, prefix="/tenants/{tenant}")
    return app, "/tenants/shop"


def _behind_a_reader_of_bodies(trigger: WebhookTrigger) -> tuple[Any, str]:
    app = application(trigger)
    app.add_middleware(BaseHTTPMiddleware, dispatch=_read_the_body)
    return app, ""


def _behind_gzip_and_cors(trigger: WebhookTrigger) -> tuple[Any, str]:
    app = application(trigger)
    app.add_middleware(GZipMiddleware, minimum_size=1)
    app.add_middleware(CORSMiddleware, allow_origins=["https://app.example"])
    return app, ""


def _with_a_dependency_that_reads_the_body(trigger: WebhookTrigger) -> tuple[Any, str]:
    async def look(request: Request) -> AsyncIterator[bytes]:
        yield await request.body()

    app = FastAPI(dependencies=[Depends(look)])
    app.include_router(trigger.router)
    return app, ""


def _with_a_dependency_that_takes_the_body(trigger: WebhookTrigger) -> tuple[Any, str]:
    async def look(body: Annotated[dict[str, Any], Body()]) -> None:
        assert body["job_type"]

    app = FastAPI()
    app.include_router(trigger.router, dependencies=[Depends(look)])
    return app, ""


@pytest.mark.webhook_case(121)
@pytest.mark.parametrize(
    "mount",
    [
        _plain,
        _with_root_path,
        _in_a_sub_application,
        _in_nested_routers,
        _under_a_parameter,
        _behind_a_reader_of_bodies,
        _behind_gzip_and_cors,
        _with_a_dependency_that_reads_the_body,
        _with_a_dependency_that_takes_the_body,
    ],
)
async def test_it_works_wherever_it_is_mounted(mount: Callable[[WebhookTrigger], tuple[Any, str]]) -> None:
    creator = RecordingJobCreator()
    trigger = WebhookTrigger(creator, WebhookConfig(allowed_job_types=["email.send"]))
    app, prefix = mount(trigger)
    await trigger.start()

    async with client_of(app) as client:
        accepted = await client.post(f"{prefix}{JOBS}", json=JOB, headers={"Accept-Encoding": "gzip"}, timeout=2)
        refused = await client.post(f"{prefix}{JOBS}", json={**JOB, "job_type": "other"})
        wrong_method = await client.get(f"{prefix}{JOBS}")
        elsewhere = await client.post(f"{prefix}{JOBS}/more", json=JOB)
    await trigger.stop()

    assert (accepted.status_code, accepted.json()["job_id"]) == (202, str(creator.jobs[0].id))
    assert (refused.status_code, refused.json()["detail"]) == (403, "Job type 'other' not allowed")
    assert (wrong_method.status_code, elsewhere.status_code) == (405, 404)
    assert len(creator.jobs) == 1


async def test_what_an_application_asks_where_it_includes_the_routes_is_asked() -> None:
    async def refuse() -> None:
        raise HTTPException(418)

    creator = RecordingJobCreator()
    trigger = WebhookTrigger(creator)
    app = FastAPI()
    app.include_router(trigger.router)
    app.include_router(trigger.router, prefix="/guarded", dependencies=[Depends(refuse)])
    app.include_router(trigger.router, prefix="/small", max_body_size=10)
    await trigger.start()
    async with client_of(app) as client:
        answers = [await client.post(f"{prefix}{JOBS}", json=JOB) for prefix in ("", "/guarded", "/small", "")]
    await trigger.stop()

    assert [answer.status_code for answer in answers] == [202, 418, 413, 202]
    assert len(creator.jobs) == 2


@pytest.mark.webhook_case(60)
async def test_no_answer_is_a_redirect() -> None:
    trigger = WebhookTrigger(RecordingJobCreator())
    await trigger.start()

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=application(trigger)), base_url="http://evil.example"
    ) as client:
        for path in (f"{JOBS}/", f"{JOBS}//", "/webhooks/", "/webhooks", "//webhooks/jobs", "//", "/webhooks//jobs/"):
            response = await client.post(path, json=JOB)
            assert response.status_code in {202, 404}
            assert "Location" not in response.headers
    await trigger.stop()


async def test_a_web_socket_is_not_for_them() -> None:
    trigger = WebhookTrigger(RecordingJobCreator(), WebhookConfig(allowed_job_types=["email.send"]))
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": JOBS, "headers": [], "query_string": b"", "subprotocols": []}
    await application(trigger)(scope, receive, send)

    assert [message["type"] for message in sent] == ["websocket.close"]
