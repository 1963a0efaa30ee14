"""What a repeated Idempotency-Key means."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydantic
import pytest
from typing_extensions import override

from portico import compose
from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookTrigger
from portico.exceptions import DatabaseError
from portico.kits.job import JobService
from portico.ports.job import Job
from portico.testing import FakeClock, RecordingJobCreator
from tests.triggers import SlowJobCreator
from tests.unit.adapters.job_trigger.webhooks import JOB, JOBS, application, calling, client_of

pytestmark = pytest.mark.asyncio

START = datetime(2030, 1, 1, tzinfo=UTC)
KEY = {"Idempotency-Key": "k"}
ALLOWED = WebhookConfig(allowed_job_types=["email.send"])


@pytest.fixture
def creator() -> RecordingJobCreator:
    return RecordingJobCreator()


@pytest.mark.webhook_case(83, 86)
async def test_a_repeated_request_gets_the_first_answer_and_says_so(creator: RecordingJobCreator) -> None:
    async with calling(WebhookTrigger(creator, ALLOWED)) as client:
        first = await client.post(JOBS, json=JOB, headers=KEY)
        again = await client.post(JOBS, json=JOB, headers={"Idempotency-Key": '"k"'})

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert (again.headers["Idempotency-Replayed"], "Idempotency-Replayed" in first.headers) == ("true", False)
    assert len(creator.jobs) == 1


@pytest.mark.webhook_case(84)
@pytest.mark.parametrize("change", [{"payload": {"a": 1}}, {"payload": {}}, {"priority": 1}])
async def test_the_same_key_with_another_request_is_refused(
    creator: RecordingJobCreator, change: dict[str, Any]
) -> None:
    async with calling(WebhookTrigger(creator, ALLOWED)) as client:
        await client.post(JOBS, json=JOB, headers=KEY)
        other = await client.post(JOBS, json={**JOB, **change}, headers=KEY)
        again = await client.post(JOBS, json=JOB, headers=KEY)

    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert again.status_code == 202
    assert len(creator.jobs) == 1


async def test_the_same_key_for_another_queue_is_another_job() -> None:
    queue = MemoryJobQueueAdapter()

    async with calling(WebhookTrigger(JobService(queue), ALLOWED)) as client:
        answers = [
            await client.post(JOBS, json={**JOB, "queue_name": queue_name}, headers=KEY)
            for queue_name in ("default", "other", "default", "other")
        ]

    assert [answer.status_code for answer in answers] == [202] * 4
    first, second, *again = [answer.json() for answer in answers]
    assert (first["queue_name"], second["queue_name"]) == ("default", "other")
    assert again == [first, second]
    assert len(await queue.list_jobs()) == 2
    await queue.close()


@pytest.mark.webhook_case(84)
async def test_another_process_refuses_another_payload_too(creator: RecordingJobCreator) -> None:
    for payload, status in (({"n": 1}, 202), ({"n": 1.0}, 422), ({"n": 1}, 202), ({"n": 1, "m": 2}, 422), ({}, 422)):
        async with calling(WebhookTrigger(creator, ALLOWED)) as client:
            response = await client.post(JOBS, json={**JOB, "payload": payload}, headers=KEY)
        assert response.status_code == status

    assert len(creator.jobs) == 1


class Stamped(pydantic.BaseModel):
    recipient: str
    stamp: int = pydantic.Field(default_factory=iter(range(100)).__next__)


async def test_what_a_schema_adds_does_not_make_another_request(creator: RecordingJobCreator) -> None:
    for body in (JOB, JOB):
        trigger = WebhookTrigger(creator, ALLOWED, payload_schemas={"email.send": Stamped})
        async with calling(trigger) as client:
            assert (await client.post(JOBS, json=body, headers=KEY)).status_code == 202

    assert len(creator.jobs) == 1


async def test_while_the_first_is_under_way_the_second_is_told_to_wait() -> None:
    slow = SlowJobCreator()

    async with calling(WebhookTrigger(slow, ALLOWED)) as client:
        first = asyncio.create_task(client.post(JOBS, json=JOB, headers=KEY))
        await slow.reached.wait()
        second = await client.post(JOBS, json=JOB, headers=KEY)
        slow.may_finish.set()
        assert (await first).status_code == 202
        third = await client.post(JOBS, json=JOB, headers=KEY)

    assert (second.status_code, second.json()["code"]) == (409, "idempotency_in_progress")
    assert second.headers["Retry-After"] == "1"
    assert third.json() == first.result().json()
    assert len(slow.jobs) == 1


@pytest.mark.webhook_case(85)
async def test_many_at_once_make_one_job(creator: RecordingJobCreator) -> None:
    async with calling(WebhookTrigger(creator, ALLOWED)) as client:
        answers = await asyncio.gather(*(client.post(JOBS, json=JOB, headers=KEY) for _ in range(50)))

    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json()["job_id"] for answer in answers if answer.status_code == 202}) == 1
    assert len(creator.jobs) == 1


async def test_a_repeated_request_takes_nothing_from_the_limit(creator: RecordingJobCreator) -> None:
    async with calling(WebhookTrigger(creator, ALLOWED, max_requests_per_minute=1)) as client:
        statuses = [(await client.post(JOBS, json=JOB, headers=KEY)).status_code for _ in range(3)]
        other = await client.post(JOBS, json=JOB, headers={"Idempotency-Key": "other"})

    assert (statuses, other.status_code) == ([202] * 3, 429)


@pytest.mark.webhook_case(90)
async def test_a_failed_creation_frees_its_key(creator: RecordingJobCreator) -> None:
    creator.fail_next(DatabaseError("the disk is full"))

    async with calling(WebhookTrigger(creator, ALLOWED)) as client:
        failed = await client.post(JOBS, json=JOB, headers=KEY)
        again = await client.post(JOBS, json={**JOB, "payload": {}}, headers=KEY)

    assert (failed.status_code, again.status_code) == (500, 202)
    assert "Idempotency-Replayed" not in again.headers


class SleepyCreator(RecordingJobCreator):
    """Creates the job, and answers the first time only when nobody waits any longer."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asleep = True

    @override
    async def create_job(self, *args: Any, **kwargs: Any) -> Job:
        job = await super().create_job(*args, **kwargs)
        if self.is_asleep:
            self.is_asleep = False
            await asyncio.Event().wait()
        return job


@pytest.mark.webhook_case(79)
async def test_a_creation_that_takes_too_long_is_answered_in_time_and_repeated_safely() -> None:
    sleepy = SleepyCreator()
    config = WebhookConfig(allowed_job_types=["email.send"], enqueue_timeout_seconds=0.01)

    async with calling(WebhookTrigger(sleepy, config)) as client:
        late = await client.post(JOBS, json=JOB, headers=KEY)
        again = await client.post(JOBS, json=JOB, headers=KEY)

    assert (late.status_code, late.json()["detail"]) == (500, "Job creation failed")
    assert again.json()["job_id"] == str(sleepy.jobs[0].id)
    assert len(sleepy.jobs) == 1


@pytest.mark.webhook_case(88)
@pytest.mark.parametrize(("idempotency", "status", "jobs"), [("required", 400, 0), ("optional", 202, 1)])
async def test_a_key_may_be_required(creator: RecordingJobCreator, idempotency: Any, status: int, jobs: int) -> None:
    config = WebhookConfig(allowed_job_types=["email.send"], idempotency=idempotency)

    async with calling(WebhookTrigger(creator, config)) as client:
        without = await client.post(JOBS, json=JOB)

    assert (without.status_code, len(creator.jobs)) == (status, jobs)


async def test_keys_are_not_looked_at_where_that_was_chosen(creator: RecordingJobCreator) -> None:
    config = WebhookConfig(allowed_job_types=["email.send"], idempotency="off")

    async with calling(WebhookTrigger(creator, config)) as client:
        for key in ("k", "k", ""):
            assert (await client.post(JOBS, json=JOB, headers={"Idempotency-Key": key})).status_code == 202

    assert len(creator.jobs) == 3


@pytest.mark.webhook_case(91)
async def test_a_key_is_free_again_when_the_queue_lets_go_of_it() -> None:
    clock = FakeClock(START)
    queue = MemoryJobQueueAdapter(clock=clock, idempotency_seconds=600)
    trigger = WebhookTrigger(JobService(queue, clock=clock), ALLOWED, clock=clock)

    async with calling(trigger) as client:
        first = await client.post(JOBS, json=JOB, headers=KEY)
        job = await queue.dequeue("default", timeout=0)
        assert job is not None
        await queue.acknowledge(job.id)
        await clock.advance(599)
        held = await client.post(JOBS, json=JOB, headers=KEY)
        await clock.advance(1)
        free = await client.post(JOBS, json=JOB, headers=KEY)

    assert held.json() == first.json()
    assert free.json()["job_id"] != first.json()["job_id"]
    await queue.close()


async def test_two_processes_on_one_file_make_one_job_for_a_key(tmp_path: Path) -> None:
    processes = [compose.jobs(f"sqlite:///{tmp_path}/jobs.db", workers=False) for _ in range(2)]
    triggers = [WebhookTrigger(jobs.creator, ALLOWED) for jobs in processes]
    for jobs, trigger in zip(processes, triggers, strict=True):
        jobs.add(trigger)

    async with processes[0], processes[1]:
        clients = [client_of(application(trigger)) for trigger in triggers]
        answers = await asyncio.gather(*(client.post(JOBS, json=JOB, headers=KEY) for client in clients * 10))
        stored = await processes[0].creator.list_jobs()

    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json().get("job_id") for answer in answers} - {None}) == len(stored) == 1


async def test_what_went_wrong_with_a_key_is_told_with_a_code(creator: RecordingJobCreator) -> None:
    config = WebhookConfig(allowed_job_types=["email.send"], idempotency="required")
    async with calling(WebhookTrigger(creator, config)) as client:
        codes = [
            (await client.post(JOBS, json=JOB, headers=headers)).json()["code"]
            for headers in ({"X-Nothing": ""}, {"Idempotency-Key": "k" * 256}, {"Idempotency-Key": ""})
        ]

    assert codes == ["idempotency_key_missing", "idempotency_key_invalid", "idempotency_key_invalid"]
