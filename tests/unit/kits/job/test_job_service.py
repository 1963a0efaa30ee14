from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.exceptions import UnknownJobTypeError, ValidationError
from portico.kits.job import HandlerRegistry, JobService, job
from portico.ports.job import JobStatus
from portico.ports.job_creator import BatchJobCreator, JobRequest

pytestmark = pytest.mark.asyncio


@job("email.send", max_retries=9)
async def send_email() -> None: ...


async def test_a_created_job_is_stored_as_it_was_asked_for(service: JobService) -> None:
    moment, creator = datetime(2030, 6, 1, tzinfo=UTC), UUID(int=1)

    job = await service.create_job(
        "a", {"n": [1]}, "q", 5, scheduled_at=moment, max_retries=0, created_by=creator, metadata={"trace": "x"}
    )

    assert await service.get_job(job.id) == job
    assert (job.job_type, job.payload, job.queue_name, job.priority) == ("a", {"n": [1]}, "q", 5)
    assert (job.scheduled_at, job.max_retries, job.created_by) == (moment, 0, creator)
    assert (job.metadata, job.status) == ({"trace": "x"}, JobStatus.SCHEDULED)


async def test_jobs_that_say_nothing_more_get_the_defaults(service: JobService) -> None:
    job = await service.create_job(job_type="a", payload={})

    assert (job.queue_name, job.priority, job.max_retries, job.status) == ("default", 0, 3, JobStatus.PENDING)


async def test_an_unknown_keyword_is_a_type_error(service: JobService) -> None:
    unknown: dict[str, Any] = {"metadata": {}, "queue": "mail"}

    with pytest.raises(
        TypeError, match=r"create_job\(\) .* keyword argument 'queue'; it takes job_type, .*queue_name,"
    ):
        await service.create_job("a", {}, **unknown)


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"payload": {"x": [float("nan")]}}, r"payload\.x\[0\]"),
        ({"payload": []}, "payload"),
        ({"metadata": {"x": {1}}}, r"metadata\.x"),
        ({"metadata": {"idempotency_key": 5}}, r"metadata\.idempotency_key"),
        ({"metadata": {"partition_key": 7}}, r"metadata\.partition_key"),
        ({"metadata": {"unique_key": ""}}, r"metadata\.unique_key"),
        ({"job_type": ""}, "job_type"),
        ({"job_type": None}, "job_type"),
        ({"job_type": "\ud800"}, "job_type"),
        ({"queue_name": "q" * 256}, "queue_name"),
        ({"priority": "high"}, "priority"),
        ({"priority": True}, "priority"),
        ({"priority": 2**31}, "priority"),
        ({"max_retries": -1}, "max_retries"),
        ({"max_retries": 1.5}, "max_retries"),
        ({"scheduled_at": "tomorrow"}, "scheduled_at"),
        ({"created_by": "me"}, "created_by"),
    ],
)
async def test_a_wrong_request_is_refused_by_name_and_creates_nothing(
    service: JobService, wrong: dict[str, Any], place: str
) -> None:
    with pytest.raises(ValidationError, match=f"^{place}: "):
        await service.create_job(**({"job_type": "a", "payload": {}} | wrong))

    assert (await service.get_job_stats("default")).pending_count == 0


async def test_a_held_key_gives_the_first_job(service: JobService) -> None:
    first = await service.create_job("a", {}, metadata={"idempotency_key": "k"})
    second = await service.create_job("a", {}, metadata={"idempotency_key": "k"})

    assert (second.id, second.is_duplicate) == (first.id, True)


async def test_many_jobs_are_created_in_order(service: JobService) -> None:
    assert isinstance(service, BatchJobCreator)

    jobs = await service.create_jobs([JobRequest(job_type="a", payload={"n": n}) for n in range(5)])

    assert [job.payload["n"] for job in jobs] == [0, 1, 2, 3, 4]
    assert (await service.get_job_stats("default")).pending_count == 5


async def test_a_wrong_request_among_many_creates_none(service: JobService) -> None:
    requests = [JobRequest(job_type="a", payload={}), JobRequest(job_type="", payload={})]

    with pytest.raises(ValidationError):
        await service.create_jobs(requests)

    assert (await service.get_job_stats("default")).pending_count == 0


async def test_a_type_that_the_registry_does_not_know_is_refused_with_a_hint(queue: MemoryJobQueueAdapter) -> None:
    service = JobService(queue, registry=HandlerRegistry([send_email]))

    with pytest.raises(UnknownJobTypeError, match=r"'emial\.send'; did you mean 'email\.send'\?") as caught:
        await service.create_job("emial.send", {})

    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, ValidationError)


async def test_a_type_that_other_processes_may_know_passes_when_asked_for(queue: MemoryJobQueueAdapter) -> None:
    service = JobService(queue, registry=HandlerRegistry([send_email]), known_types_only=False)

    assert (await service.create_job("other", {})).job_type == "other"


async def test_a_long_unknown_type_is_not_repeated_in_full(queue: MemoryJobQueueAdapter) -> None:
    service = JobService(queue, registry=HandlerRegistry([send_email]))

    with pytest.raises(UnknownJobTypeError) as caught:
        await service.create_job("x" * 100_000, {})

    assert len(str(caught.value)) < 300


async def test_the_handler_says_how_often_its_jobs_are_retried(queue: MemoryJobQueueAdapter) -> None:
    service = JobService(queue, registry=HandlerRegistry([send_email]))

    assert (await service.create_job("email.send", {})).max_retries == 9
    assert (await service.create_job("email.send", {}, max_retries=1)).max_retries == 1


async def test_jobs_are_listed_cancelled_and_retried(service: JobService) -> None:
    job = await service.create_job("a", {})

    assert await service.cancel_job(job.id)
    assert [found.id for found in await service.list_jobs(status=JobStatus.FAILED)] == [job.id]
    assert await service.retry_job(job.id)
    assert not await service.retry_job(job.id)
    assert (await service.get_job_stats("default")).pending_count == 1


async def test_nothing_is_logged_above_debug_and_no_payload_ever(service: JobService, logs: list[Any]) -> None:
    await service.create_job("a", {"secret": "hunter2"})

    assert {entry["log_level"] for entry in logs} == {"debug"}
    assert "hunter2" not in str(logs)
