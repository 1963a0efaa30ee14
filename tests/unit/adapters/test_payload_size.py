"""How long a payload may be, on every store alike."""

import json
import uuid
from typing import Any

import pytest

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.exceptions import ConfigurationError, ValidationError
from portico.ports.job import Job

pytestmark = pytest.mark.asyncio
LIMIT = 2_000


def job(payload: dict[str, Any]) -> Job:
    return Job(id=uuid.uuid4(), queue_name="default", job_type="size.work", payload=payload)


@pytest.mark.parametrize(
    "make",
    [
        lambda length: {"text": "x" * (length - 11)},
        lambda length: {"rows": [1, "x" * (length - 15)]},
        lambda length: {"k" * (length - 6): 1},
        lambda length: {"text": "\N{SNOWMAN}" * 300 + "x" * (length - 11 - 1_800)},
    ],
)
async def test_a_payload_may_have_the_limits_length_as_json_and_not_a_byte_more(make: Any) -> None:
    queue = MemoryJobQueueAdapter(max_payload_bytes=LIMIT)
    assert len(json.dumps(make(LIMIT), separators=(",", ":"))) == LIMIT
    await queue.enqueue(job(make(LIMIT)))
    with pytest.raises(ValidationError, match=r"payload is 2,001 bytes of JSON, and at most 2,000 are taken"):
        await queue.enqueue(job(make(LIMIT + 1)))


async def test_one_mebibyte_is_the_default() -> None:
    queue = MemoryJobQueueAdapter()
    await queue.enqueue(job({"text": "x" * 1_048_000}))
    with pytest.raises(ValidationError, match=r"1,049,011 bytes.*1,048,576"):
        await queue.enqueue_many([job({}), job({"text": "x" * 1_049_000})])
    assert (await queue.get_queue_stats("default")).pending_count == 1


async def test_many_short_members_are_measured_too() -> None:
    queue = MemoryJobQueueAdapter(max_payload_bytes=LIMIT)
    with pytest.raises(ValidationError, match="payload is"):
        await queue.enqueue(job({f"number {number}": number for number in range(200)}))


async def test_a_limit_must_be_positive() -> None:
    with pytest.raises(ConfigurationError, match="max_payload_bytes"):
        MemoryJobQueueAdapter(max_payload_bytes=0)
