import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from portico.exceptions import DatabaseError, ValidationError
from portico.ports.job import JobStatus
from portico.ports.job_creator import JobRequest
from portico.testing import FakeClock, RecordingJobCreator


@pytest.mark.asyncio
async def test_it_remembers_the_jobs_in_order() -> None:
    creator = RecordingJobCreator()

    first = await creator.create_job("a", {"n": 1})
    second = await creator.create_job("b", {}, queue_name="q", priority=2, max_retries=7)

    assert creator.jobs == [first, second]
    assert (second.queue_name, second.priority, second.max_retries) == ("q", 2, 7)
    assert await creator.get_job(first.id) == first


@pytest.mark.asyncio
@pytest.mark.parametrize("key", ["idempotency_key", "unique_key"])
async def test_a_held_key_gives_the_first_job_again(key: str) -> None:
    creator = RecordingJobCreator()

    first = await creator.create_job("a", {}, metadata={key: "k"})
    second = await creator.create_job("a", {}, metadata={key: "k"})

    assert (second.id, second.is_duplicate, first.is_duplicate) == (first.id, True, False)
    assert creator.jobs == [first]


@pytest.mark.asyncio
async def test_a_key_is_held_per_queue() -> None:
    creator = RecordingJobCreator()

    await creator.create_job("a", {}, queue_name="q", metadata={"unique_key": "k"})
    await creator.create_job("a", {}, queue_name="r", metadata={"unique_key": "k"})

    assert len(creator.jobs) == 2


@pytest.mark.asyncio
async def test_it_fails_as_often_as_it_is_told_and_creates_nothing_then() -> None:
    creator = RecordingJobCreator()
    creator.fail_next(DatabaseError("down"), times=2)

    for _ in range(2):
        with pytest.raises(DatabaseError):
            await creator.create_job("a", {})
    job = await creator.create_job("a", {})

    assert creator.jobs == [job]


@pytest.mark.asyncio
async def test_a_batch_with_an_invalid_request_creates_nothing() -> None:
    creator = RecordingJobCreator()
    requests = [JobRequest(job_type="a", payload={}), JobRequest(job_type="a", payload={"x": float("nan")})]

    with pytest.raises(ValidationError, match=r"payload\.x: NaN"):
        await creator.create_jobs(requests)

    assert creator.jobs == []


@pytest.mark.asyncio
async def test_it_refuses_what_a_job_service_refuses() -> None:
    creator = RecordingJobCreator()
    unknown: dict[str, Any] = {"prio": 1}

    with pytest.raises(TypeError, match="prio"):
        await creator.create_job("a", {}, **unknown)
    with pytest.raises(ValidationError):
        await creator.create_job("", {})


@pytest.mark.asyncio
async def test_a_job_for_later_is_scheduled() -> None:
    creator = RecordingJobCreator(FakeClock(datetime(2030, 1, 1, tzinfo=UTC)))

    job = await creator.create_job("a", {}, scheduled_at=datetime(2030, 1, 2, tzinfo=UTC))

    assert (job.status, job.created_at) == (JobStatus.SCHEDULED, datetime(2030, 1, 1, tzinfo=UTC))


def test_the_fakes_need_no_test_framework() -> None:
    program = "import sys, portico.testing; sys.exit('pytest' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
