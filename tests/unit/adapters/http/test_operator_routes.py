"""Health, jobs and deliveries over HTTP: each only where it was configured, and only for those who may."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from portico.adapters.job_trigger.webhook_trigger import Basic, Bearer, WebhookConfig, WebhookTrigger
from portico.exceptions import DatabaseError
from portico.ports.job import Job
from portico.runtime.memory_state import MemoryEventInbox
from portico.testing import FakeClock, RecordingJobCreator
from tests.unit.adapters.job_trigger.webhooks import JOB, JOBS, application, calling, client_of
from tests.webhook_sources import NOW

pytestmark = pytest.mark.asyncio

STATUS, ADMIN = "token-of-those-who-ask", "token-of-those-who-run-it"
CONFIG = WebhookConfig(
    allowed_job_types=["email.send"], delivery_log="full", status_auth=Bearer([STATUS]), admin_auth=Bearer([ADMIN])
)
AS_STATUS = {"Authorization": f"Bearer {STATUS}"}
AS_ADMIN = {"Authorization": f"Bearer {ADMIN}"}
DELIVERIES = "/webhooks/deliveries"
GUARDED = [
    ("GET", f"{JOBS}/{{}}"),
    ("GET", DELIVERIES),
    ("GET", f"{DELIVERIES}/{{}}"),
    ("POST", f"{DELIVERIES}/{{}}/replay"),
]


class Store(RecordingJobCreator):
    """A creator that can be asked for its jobs."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.error: Exception | None = None
        self.is_stuck = False

    @override
    async def get_job(self, job_id: UUID) -> Job | None:
        self.asked += 1
        if self.is_stuck:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return next((job for job in self.jobs if job.id == job_id), None)


@pytest.fixture
def store() -> Store:
    return Store()


@asynccontextmanager
async def _served(store: Store, config: WebhookConfig = CONFIG, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(WebhookTrigger(store, config, **options)) as client:
        yield client


# --- who may


@pytest.mark.webhook_case(119)
@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_without_an_authentication_there_is_no_such_route(store: Store, method: str, path: str) -> None:
    async with _served(store, WebhookConfig()) as client:
        await client.post(JOBS, json=JOB)
        response = await client.request(method, path.format(store.jobs[0].id), headers=AS_ADMIN)

    assert response.status_code == 404


@pytest.mark.webhook_case(119)
@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}])
async def test_who_is_not_known_is_told_nothing(store: Store, method: str, path: str, headers: dict[str, str]) -> None:
    async with _served(store) as client:
        known, unknown = [
            await client.request(method, path.format(job_id), headers={**headers, "X-Request-ID": "r"})
            for job_id in ((await client.post(JOBS, json=JOB)).json()["job_id"], uuid4())
        ]

    assert known.status_code == 401
    assert known.headers["WWW-Authenticate"] == 'Bearer realm="webhooks"'
    assert known.content == unknown.content
    assert len(store.jobs) == 1


@pytest.mark.parametrize(("method", "path"), GUARDED)
async def test_each_authentication_opens_its_own_routes(store: Store, method: str, path: str) -> None:
    other = AS_ADMIN if path.startswith(JOBS) else AS_STATUS

    async with _served(store) as client:
        assert (await client.request(method, path.format(uuid4()), headers=other)).status_code == 401


async def test_a_page_of_another_site_replays_nothing(store: Store) -> None:
    config = WebhookConfig(delivery_log="full", admin_auth=Basic({"root": "correct horse battery"}))
    pair = base64.b64encode(b"root:correct horse battery").decode()

    async with _served(store, config) as client:
        await client.post(JOBS, json=JOB)
        as_root = {"Authorization": f"Basic {pair}"}
        (delivery,) = (await client.get(DELIVERIES, headers=as_root)).json()["deliveries"]
        for more in ({}, {"Content-Type": "text/plain"}):
            headers = {**as_root, **more, "Origin": "https://evil.example"}
            response = await client.post(f"{DELIVERIES}/{delivery['id']}/replay", headers=headers)
            assert response.status_code in {403, 415}

    assert len(store.jobs) == 1


async def test_the_body_that_an_authentication_may_look_at_has_a_limit(store: Store) -> None:
    async def by_body(request: Any) -> str | None:
        return "root" if await request.body() == b"open" else None

    async with _served(store, WebhookConfig(admin_auth=by_body, max_body_bytes=4)) as client:
        statuses = [
            (await client.request("GET", DELIVERIES, content=body)).status_code
            for body in (b"open", b"shut", b"opened")
        ]

    assert statuses == [200, 401, 413]


async def test_what_is_refused_is_logged_without_a_secret(store: Store) -> None:
    async with _served(store) as client:
        with capture_logs() as logs:
            response = await client.get(DELIVERIES, headers={"Authorization": "Bearer nearly-the-right-token"})

    (line,) = logs
    assert (line["event"], line["status"], line["path"]) == ("webhook_operation_refused", 401, DELIVERIES)
    assert line["trigger"] == "webhook"
    assert line["request_id"] == response.json()["request_id"]
    assert "nearly" not in str(logs)


# --- jobs


async def test_the_answer_says_where_to_ask_for_the_job(store: Store) -> None:
    async with _served(store) as client:
        accepted = await client.post(f"{JOBS}/", json=JOB)
        shown = await client.get(accepted.headers["Location"], headers=AS_STATUS)
        unknown = [await client.get(f"{JOBS}/{name}", headers=AS_STATUS) for name in (uuid4(), "1", "%00")]

    assert accepted.headers["Location"] == f"{JOBS}/{store.jobs[0].id}"
    told = shown.json()
    assert (told["job_id"], told["job_type"], told["status"]) == (str(store.jobs[0].id), "email.send", "pending")
    assert "user@example.com" not in shown.text
    assert [(answer.status_code, answer.json()["code"]) for answer in unknown] == [(404, "not_found")] * 3


async def test_without_the_route_nothing_points_to_it(store: Store) -> None:
    async with _served(store, WebhookConfig()) as client:
        assert "Location" not in (await client.post(JOBS, json=JOB)).headers


async def test_a_store_that_fails_is_no_missing_job(store: Store) -> None:
    store.error = DatabaseError("no space left on /var/lib/portico.db")

    async with _served(store) as client:
        with capture_logs() as logs:
            response = await client.get(f"{JOBS}/{uuid4()}", headers=AS_STATUS)

    (line,) = logs
    assert (line["event"], line["log_level"]) == ("webhook_operation_failed", "error")
    assert "_show_job" in line["traceback"]
    assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
    assert int(response.headers["Retry-After"]) >= 1
    assert "portico.db" not in response.text


# --- deliveries


async def test_deliveries_are_listed_and_shown(store: Store) -> None:
    async with _served(store) as client:
        await client.post(JOBS, json=JOB, headers={"Idempotency-Key": "k", "X-Api-Key": "a-secret-of-somebody"})
        await client.post(JOBS, json={**JOB, "job_type": "other"})
        refused, accepted = (await client.get(DELIVERIES, headers=AS_ADMIN)).json()["deliveries"]
        shown = (await client.get(f"{DELIVERIES}/{accepted['id']}", headers=AS_ADMIN)).json()
        unknown = await client.get(f"{DELIVERIES}/{uuid4()}", headers=AS_ADMIN)

    assert (refused["outcome"], refused["reason"]) == ("rejected", "Job type 'other' not allowed")
    assert (accepted["outcome"], accepted["delivery_id"], accepted["source"]) == ("accepted", "k", "jobs")
    assert accepted["job_ids"] == [str(store.jobs[0].id)]
    assert accepted["headers"]["x-api-key"] == "[redacted]"
    assert json.loads(base64.b64decode(shown.pop("body_base64"))) == JOB
    assert shown == accepted
    assert unknown.status_code == 404


async def test_a_list_has_pages_and_choices(store: Store) -> None:
    async with _served(store) as client:
        for job_type in ("email.send", "other", "email.send"):
            await client.post(JOBS, json={**JOB, "job_type": job_type})

        async def listed(query: str) -> list[str]:
            found = (await client.get(f"{DELIVERIES}?{query}", headers=AS_ADMIN)).json()["deliveries"]
            return [delivery["id"] for delivery in found]

        everything = await listed("")
        newest = await listed("limit=1")
        older = await listed(f"before={newest[0]}")

        assert newest + older == everything
        assert len(everything) == 3
        assert await listed("outcome=rejected") == everything[1:2]
        assert await listed("source=jobs") == everything
        assert await listed("source=other") == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "limit=-1", "before=1", "outcome=good", "limit="]
)
async def test_a_choice_that_is_none_is_a_bad_request(store: Store, query: str) -> None:
    async with _served(store) as client:
        response = await client.get(f"{DELIVERIES}?{query}", headers=AS_ADMIN)

    assert response.status_code == 400
    assert query.partition("=")[0] in response.json()["detail"]


@pytest.mark.webhook_case(120)
async def test_a_delivery_is_replayed_with_its_bytes_and_is_not_a_duplicate(store: Store) -> None:
    async with _served(store) as client:
        body = b'{"payload": {"n": 1.0},   "job_type": "email.send"}'
        await client.post(JOBS, content=body, headers={"Idempotency-Key": "k", "Content-Type": "application/json"})
        (first,) = (await client.get(DELIVERIES, headers=AS_ADMIN)).json()["deliveries"]
        replayed = await client.post(f"{DELIVERIES}/{first['id']}/replay", headers=AS_ADMIN)
        newest, _ = (await client.get(DELIVERIES, headers=AS_ADMIN)).json()["deliveries"]
        shown = (await client.get(f"{DELIVERIES}/{newest['id']}", headers=AS_ADMIN)).json()

    assert replayed.status_code == 202
    original, again = store.jobs
    assert replayed.json() == {"jobs": [{"job_id": str(again.id), "job_type": "email.send"}]}
    assert repr(again.payload) == repr(original.payload)
    assert (newest["id"] != first["id"], newest["job_ids"]) == (True, [str(again.id)])
    assert base64.b64decode(shown["body_base64"]) == body


async def test_a_replay_that_cannot_be_says_why(store: Store) -> None:
    config = WebhookConfig(allowed_job_types=["email.send"], admin_auth=Bearer([ADMIN]))
    trigger = WebhookTrigger(store, config)

    async with calling(trigger) as client:
        await client.post(JOBS, json=JOB)
        (delivery,) = (await client.get(DELIVERIES, headers=AS_ADMIN)).json()["deliveries"]
        no_body = await client.post(f"{DELIVERIES}/{delivery['id']}/replay", headers=AS_ADMIN)
        unknown = await client.post(f"{DELIVERIES}/{uuid4()}/replay", headers=AS_ADMIN)
        await trigger.stop()
        stopped = await client.post(f"{DELIVERIES}/{delivery['id']}/replay", headers=AS_ADMIN)

    assert [answer.status_code for answer in (no_body, unknown, stopped)] == [409, 404, 503]
    assert "delivery_log='full'" in no_body.json()["detail"]
    assert len(store.jobs) == 1


async def test_a_replay_whose_job_cannot_be_created_is_counted_once(store: Store) -> None:
    trigger = WebhookTrigger(store, CONFIG)

    async with calling(trigger) as client:
        await client.post(JOBS, json=JOB)
        (delivery,) = (await client.get(DELIVERIES, headers=AS_ADMIN)).json()["deliveries"]
        store.fail_next(DatabaseError("the disk is full"))
        failed = await client.post(f"{DELIVERIES}/{delivery['id']}/replay", headers=AS_ADMIN)

    assert (failed.status_code, failed.json()["detail"]) == (500, "Job creation failed")
    assert trigger.get_health().errors_count == 1


async def test_deliveries_whose_store_fails_are_told_to_come_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("no space left on /var/lib/portico.db")

    async with _served(store) as client:
        monkeypatch.setattr(MemoryEventInbox, "list_events", failing)
        response = await client.get(DELIVERIES, headers=AS_ADMIN)

    assert response.status_code == 503
    assert "portico.db" not in response.text


# --- health


@pytest.mark.webhook_case(123)
async def test_health_says_whether_webhooks_are_taken_and_nothing_else(store: Store) -> None:
    trigger = WebhookTrigger(store, CONFIG, name="of-the-shop")

    async with client_of(application(trigger)) as client:
        before = [await client.get(f"/webhooks/health{path}") for path in ("", "/ready")]
        await trigger.start()
        during = [await client.get(f"/webhooks/health{path}") for path in ("", "/ready")]
        await trigger.stop()

    assert [(answer.status_code, answer.json()) for answer in before] == [(503, {"status": "unavailable"})] * 2
    assert [(answer.status_code, answer.json()) for answer in during] == [(200, {"status": "ok"})] * 2
    for answer in (*before, *during):
        assert "shop" not in str(answer.headers)
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.webhook_case(123)
async def test_a_webhook_whose_store_fails_lives_and_is_not_ready(store: Store) -> None:
    store.error = DatabaseError("no space left on /var/lib/portico.db")

    async with _served(store) as client:
        alive = await client.get("/webhooks/health")
        ready = await client.get("/webhooks/health/ready")

    assert (alive.status_code, ready.status_code) == (200, 503)
    assert ready.json() == {"status": "unavailable"}


async def test_a_store_that_hangs_is_not_ready(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portico.adapters.http.readiness._TIMEOUT_SECONDS", 0.01)
    store.is_stuck = True

    async with asyncio.timeout(5), _served(store) as client:
        assert (await client.get("/webhooks/health/ready")).status_code == 503


async def test_a_store_is_asked_once_a_second_however_many_want_to_know(store: Store) -> None:
    clock = FakeClock(NOW)

    async with _served(store, clock=clock) as client:
        ready = "/webhooks/health/ready"
        answers = await asyncio.gather(*(client.get(ready) for _ in range(20)))
        store.error = DatabaseError("gone")
        remembered = await client.get(ready)
        await clock.advance(1)
        later = await client.get(ready)

    assert {answer.status_code for answer in answers} == {200}
    assert (remembered.status_code, later.status_code) == (200, 503)
    assert store.asked == 2


async def test_health_can_be_switched_off(store: Store) -> None:
    async with _served(store, WebhookConfig(health_routes=False)) as client:
        assert (await client.get("/webhooks/health")).status_code == 404
