"""Putting an application together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from structlog.testing import capture_logs
from typing_extensions import override

from portico import ConcurrencyLimit, Context, compose, job
from portico.adapters.job_trigger.webhook_trigger import WebhookTrigger
from portico.compose import application
from portico.exceptions import ConfigurationError, ExternalServiceError
from portico.ports.job import JobStatus
from portico.ports.job_creator import JobRequest
from portico.ports.job_trigger import JobTrigger
from portico.runtime.trigger import BaseTrigger
from portico.runtime.worker_directory import WorkerDirectory
from portico.testing import FakeClock
from portico.testing.stress import stress_start_stop

pytestmark = pytest.mark.asyncio


@job("note.write", queue_name="notes")
async def write_note(ctx: Context, text: str) -> dict[str, str]:
    return {"written": text}


class ProbeTrigger(BaseTrigger):
    kind: ClassVar[str] = "probe"


class BareTrigger(JobTrigger):
    """The port and nothing else, as somebody outside of this package would write it."""

    def __init__(self, fails_with: Exception | None = None) -> None:
        self.fails_with = fails_with
        self.running = False

    @override
    async def start(self) -> None:
        if self.fails_with is not None:
            raise self.fails_with
        self.running = True

    @override
    async def stop(self) -> None:
        self.running = False

    @property
    @override
    def is_running(self) -> bool:
        return self.running


def composed(**options: Any) -> compose.Jobs:
    return compose.jobs("memory://", handlers=[write_note], **options)


async def test_nothing_is_opened_before_the_start(tmp_path: Path) -> None:
    compose.jobs(f"sqlite:///{tmp_path}/jobs.db", handlers=[write_note])
    assert list(tmp_path.iterdir()) == []


async def test_a_created_job_is_executed() -> None:
    async with composed() as jobs:
        created = await jobs.creator.create_job("note.write", {"text": "hi"}, queue_name="notes")
        async with asyncio.timeout(5):
            while (stored := await jobs.creator.get_job(created.id)) and stored.status is not JobStatus.COMPLETED:
                await asyncio.sleep(0.01)
    assert stored is not None
    assert stored.result == {"written": "hi"}


@pytest.mark.parametrize("url", ["mysql://root:s3cret@localhost/x", "nonsense", ""])
async def test_an_unknown_store_is_refused_with_the_supported_ones_and_no_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="memory://, sqlite:///") as caught:
        compose.jobs(url)
    assert "s3cret" not in str(caught.value)


async def test_two_triggers_of_one_name_are_refused() -> None:
    jobs = composed()
    jobs.add(ProbeTrigger(jobs.creator))
    with pytest.raises(ConfigurationError, match="two triggers are called 'probe'"):
        jobs.add(ProbeTrigger(jobs.creator))
    jobs.add(ProbeTrigger(jobs.creator), name="second")
    assert list(jobs.triggers) == ["probe", "second"]


async def test_a_trigger_gets_the_store_and_the_inbox_of_the_application() -> None:
    jobs = composed()
    trigger = ProbeTrigger(jobs.creator)
    jobs.add(trigger, name="other")
    assert (trigger.name, trigger.store, trigger.inbox) == ("other", jobs.store, jobs.inbox)


async def test_a_trigger_that_knows_only_the_port_is_named_after_its_class() -> None:
    jobs = composed()
    jobs.add(BareTrigger())
    assert list(jobs.triggers) == ["bare"]


async def test_a_trigger_that_cannot_start_is_named_and_the_others_are_stopped() -> None:
    jobs = composed()
    first = BareTrigger()
    jobs.add(first, name="first")
    jobs.add(BareTrigger(fails_with=ConfigurationError("there is no folder /x")), name="uploads")
    with pytest.raises(ConfigurationError, match="trigger 'uploads' could not start: there is no folder /x"):
        await jobs.start()
    assert not first.is_running
    assert not jobs.is_running


async def test_an_error_of_somebody_elses_is_named_without_its_text_which_may_hold_a_secret() -> None:
    jobs = composed()
    jobs.add(BareTrigger(fails_with=OSError("amqp://guest:s3cret@host")), name="orders")
    with pytest.raises(Exception, match="trigger 'orders' could not start: OSError") as caught:
        await jobs.start()
    assert "s3cret" not in str(caught.value)


async def test_a_source_that_does_not_answer_keeps_its_class_of_error() -> None:
    jobs = composed()
    jobs.add(BareTrigger(fails_with=ExternalServiceError("broker down")), name="orders")
    with pytest.raises(ExternalServiceError, match="broker down"):
        await jobs.start()


async def test_a_trigger_cannot_be_added_to_a_running_application() -> None:
    async with composed() as jobs:
        with pytest.raises(ConfigurationError, match="before the application starts"):
            jobs.add(BareTrigger())


async def test_the_workers_serve_default_and_every_queue_that_something_names() -> None:
    class Uploads(BareTrigger):
        queue_names: ClassVar[frozenset[str]] = frozenset({"files"})

    jobs = composed()
    jobs.add(Uploads())
    assert jobs.queue_names == ("default", "files", "notes")
    assert composed(queues=["only"]).queue_names == ("only",)


@pytest.mark.parametrize(
    ("options", "hints"),
    [
        ({}, ["did you mean 'note.write'?", "compose.jobs(..., handlers=[...])"]),
        ({"workers": False}, []),
        ({"queues": ["notes"]}, []),
    ],
)
async def test_a_trigger_whose_jobs_nobody_here_can_run_is_warned_of_at_the_start(
    options: dict[str, Any], hints: list[str]
) -> None:
    class Uploads(BareTrigger):
        queue_names: ClassVar[frozenset[str]] = frozenset({"files"})
        job_types: ClassVar[frozenset[str]] = frozenset({"note.writes", "zip", "note.write"})

    jobs = composed(**options)
    jobs.add(Uploads())
    with capture_logs() as logs:
        async with jobs:
            pass

    warned = [line for line in logs if line["event"] == "job_handler_missing"]
    assert [(line["trigger"], line["hint"]) for line in warned] == [("uploads", hint) for hint in hints]


async def test_an_application_without_workers_can_be_made_to_do_nothing_but_work() -> None:
    jobs = compose.jobs(
        "memory://", handlers=[write_note], workers=False, concurrency=7, worker_options={"processes": 3}
    )
    trigger = BareTrigger()
    jobs.add(trigger)
    assert (jobs.has_workers, jobs.processes) == (False, 3)
    jobs.only_work(queues=["notes"])

    with capture_logs() as logs:
        async with jobs:
            created = await jobs.creator.create_job("note.write", {"text": "x"}, "notes")
            while (found := await jobs.creator.get_job(created.id)) and not found.status.is_final:
                await asyncio.sleep(0.001)
            assert not trigger.is_running

    assert found is not None
    assert found.status is JobStatus.COMPLETED
    assert (jobs.has_workers, jobs.queue_names) == (True, ("notes",))
    assert "worker_processes_ignored" not in [entry["event"] for entry in logs]


async def test_a_job_for_a_queue_that_nobody_serves_is_warned_about_once() -> None:
    async with composed() as jobs:
        with capture_logs() as logs:
            for _ in range(3):
                await jobs.creator.create_job("note.write", {"text": "x"}, queue_name="nobodys")
                await jobs.creator.create_job("note.write", {"text": "x"}, queue_name="notes")
    assert [entry["queue"] for entry in logs if entry["event"] == "queue_without_worker"] == ["nobodys"]


async def test_many_first_jobs_at_once_for_a_queue_that_nobody_serves_are_one_warning() -> None:
    async with composed() as jobs:
        with capture_logs() as logs:
            await asyncio.gather(
                *(jobs.creator.create_job("note.write", {"text": "x"}, queue_name="nobodys") for _ in range(20))
            )
    assert [entry["event"] for entry in logs].count("queue_without_worker") == 1


async def test_a_worker_of_another_process_counts_as_one_that_serves() -> None:
    jobs = composed(workers=False)
    elsewhere = WorkerDirectory(jobs.store)
    elsewhere.serve(["remote"])
    await elsewhere.start()
    async with jobs:
        with capture_logs() as logs:
            await jobs.creator.create_job("note.write", {"text": "x"}, queue_name="remote")
        assert logs == [] or all(entry["event"] != "queue_without_worker" for entry in logs)
        await elsewhere.stop()
    assert dict(await jobs.store.entries("portico:workers")) == {}


async def test_the_lifespan_includes_the_routes_that_the_application_has_not() -> None:
    jobs = composed()
    jobs.add(WebhookTrigger(jobs.creator))
    app = FastAPI(lifespan=jobs.lifespan)
    async with running(app) as client:
        assert (await client.get("/health/triggers")).json()["webhook"]["is_running"] is True
        assert (await post_note(client, "/webhooks/jobs")).status_code == 202


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_routes_that_the_application_included_are_not_included_twice(prefix: str) -> None:
    jobs = composed()
    jobs.add(WebhookTrigger(jobs.creator))
    app = FastAPI(lifespan=jobs.lifespan)
    app.include_router(jobs.router, prefix=prefix)
    async with running(app) as client:
        assert (await post_note(client, f"{prefix}/webhooks/jobs")).status_code == 202
        if prefix:
            assert (await post_note(client, "/webhooks/jobs")).status_code == 404


async def test_a_webhook_added_after_its_application_included_the_router_is_served_too() -> None:
    jobs = composed()
    outer = APIRouter()
    outer.include_router(jobs.router)
    app = FastAPI(lifespan=jobs.lifespan)
    app.include_router(outer)
    jobs.add(WebhookTrigger(jobs.creator))
    async with running(app) as client:
        assert (await post_note(client, "/webhooks/jobs")).status_code == 202


async def test_health_shows_is_running_of_a_trigger_without_health() -> None:
    jobs = composed()
    jobs.add(BareTrigger())
    async with running(FastAPI(lifespan=jobs.lifespan)) as client:
        assert (await client.get("/health/triggers")).json() == {"bare": {"is_running": True}}


async def test_it_can_be_started_and_stopped_from_many_tasks_and_leaves_nothing_behind() -> None:
    jobs = composed()
    jobs.add(ProbeTrigger(jobs.creator))
    await stress_start_stop(jobs, rounds=20)


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        yield client


async def post_note(client: httpx.AsyncClient, path: str) -> httpx.Response:
    return await client.post(path, json={"job_type": "note.write", "payload": {"text": "hi"}})


async def test_the_clock_of_the_application_is_the_clock_of_its_jobs() -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    async with composed(clock=FakeClock(moment), workers=False) as jobs:
        created = await jobs.creator.create_job("note.write", {"text": "x"})
    assert created.created_at == moment


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:s3c@ret@db:5432/x", "postgresql://ada:***@db:5432/x"),
        ("redis://:s3cret@db/0", "redis://:***@db/0"),
        ("sqlite:///a:b@c.db", "sqlite:///a:b@c.db"),
    ],
)
async def test_the_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert application._without_password(url) == shown


async def test_limits_go_to_the_queue() -> None:
    async with composed(workers=False, limits=[ConcurrencyLimit(1, key="text")]) as jobs:
        await jobs.creator.create_jobs([JobRequest(job_type="note.write", payload={"text": text}) for text in "aab"])
        claimed = await jobs.queue.dequeue_many("default", 3, timeout=0)
    assert [job.payload["text"] for job in claimed] == ["a", "b"]


async def test_a_limit_that_is_none_is_refused_before_anything_opens() -> None:
    with pytest.raises(ConfigurationError, match="limits"):
        composed(limits=["mail"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"queues": "mail"}, "queues must be a list of names, not 'mail'"),
        ({"queues": []}, "queues must be a list of names, not []"),
        ({"queues": ["mail", ""]}, "queues must be a list of names, not ['mail', '']"),
        ({"queue_options": {"lease": 5}}, "queue_options has 'lease'; did you mean 'lease_seconds'?"),
        ({"queue_options": {"url": "x"}}, "queue_options has 'url'; MemoryJobQueueAdapter takes lease_seconds, "),
        ({"worker_options": {"grace": 3}}, "worker_options has 'grace'; did you mean 'grace_seconds'?"),
        ({"worker_options": {"queues": ["mail"]}}, "worker_options has 'queues'; WorkerManager takes concurrency, "),
    ],
)
async def test_an_option_that_cannot_be_meant_is_refused_where_it_is_written(
    options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        composed(**options)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("added", [write_note, BareTrigger])
async def test_what_is_added_must_be_a_trigger(added: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=r"jobs\.add takes a trigger, not (JobDefinition|the class BareTrigger)"
    ):
        composed().add(added)
