"""How long a result may be, on every store alike."""

import json
import uuid
from typing import Any

import pytest

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.exceptions import ValidationError
from portico.ports.job import MAX_RESULT_BYTES, Job, JobStatus

pytestmark = pytest.mark.asyncio


async def running(queue: MemoryJobQueueAdapter, count: int = 1) -> list[uuid.UUID]:
    jobs = [Job(id=uuid.uuid4(), queue_name="default", job_type="size.work", payload={}) for _ in range(count)]
    await queue.enqueue_many(jobs)
    return [job.id for job in await queue.dequeue_many("default", count, timeout=0)]


@pytest.mark.parametrize("letter", ["x", "\N{SNOWMAN}", "\N{GRINNING FACE}"])
async def test_a_result_may_have_64_kibibytes_of_utf_8_and_not_a_byte_more(letter: str) -> None:
    queue = MemoryJobQueueAdapter()
    [job_id] = await running(queue)
    rest = MAX_RESULT_BYTES - len(json.dumps({"text": ""}, separators=(",", ":")))
    count, filling = divmod(rest, len(letter.encode()))
    result = {"text": letter * count + "y" * filling}

    with pytest.raises(ValidationError, match=r"result is 65,537 bytes of JSON, and at most 65,536 are kept"):
        await queue.acknowledge(job_id, {"text": result["text"] + "z"})

    found = await queue.get_job(job_id)
    assert found is not None
    assert found.status is JobStatus.RUNNING
    assert await queue.acknowledge(job_id, result)


async def test_one_result_that_is_too_long_completes_none_of_a_batch() -> None:
    queue = MemoryJobQueueAdapter()
    first, second = await running(queue, 2)
    results: dict[uuid.UUID, dict[str, Any]] = {first: {"rows": 1}, second: {"rows": list(range(20_000))}}

    with pytest.raises(ValidationError, match="result is"):
        await queue.acknowledge_many([first, second], results)

    assert (await queue.get_queue_stats("default")).running_count == 2
