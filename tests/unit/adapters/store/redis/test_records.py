"""Jobs to what is stored of them, and back."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from portico.adapters.store.redis.records import job_from_record, new_record
from portico.adapters.stored_moments import microseconds, moment
from portico.ports.job import Job

NOW = datetime(2030, 1, 1, 12, 30, 15, 250_001, tzinfo=UTC)
SIGNED = st.integers(min_value=-(2**63), max_value=2**63 - 1)


def job(**fields: Any) -> Job:
    known: dict[str, Any] = {"id": uuid.uuid4(), "queue_name": "default", "job_type": "work", "payload": {"n": 1}}
    return Job(**{**known, "created_at": NOW, **fields})


@given(first=SIGNED, second=SIGNED)
def test_ranks_are_in_the_order_of_claims(first: int, second: int) -> None:
    ranks: list[Any] = [new_record(job(priority=priority))[3] for priority in (first, second)]
    assert (ranks[0] < ranks[1]) == (first > second)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_comes_back(at: datetime) -> None:
    assert moment(microseconds(at)) == at


@given(priority=SIGNED, max_retries=SIGNED, text=st.text(), has_creator=st.booleans())
def test_a_new_job_comes_back_whole(priority: int, max_retries: int, text: str, *, has_creator: bool) -> None:
    new = job(
        priority=priority,
        max_retries=max_retries,
        payload={"text": text},
        metadata={"text": text},
        created_by=uuid.uuid4() if has_creator else None,
    )
    job_id, queue_name, job_type, _, document, *_ = new_record(new)
    assert isinstance(job_id, bytes)
    state = [b"pending", str(queue_name).encode(), str(job_type).encode(), b"", 0, None, None, None, 0, 0]
    assert job_from_record(job_id, str(document).encode(), [*state, *[None] * 7]) == new


def test_what_happened_to_a_job_comes_back() -> None:
    scheduled = NOW + timedelta(days=90_000)
    record = new_record(job(scheduled_at=scheduled))
    times = [microseconds(NOW), None, microseconds(NOW)]
    state = [
        b"failed",
        b"q",
        b"t",
        b"",
        3,
        str(record[6]).encode(),
        None,
        None,
        2,
        1,
        b"7",
        *times,
        b"broken",
        b'{"n":1}',
    ]
    found = job_from_record(uuid.uuid4().bytes, str(record[4]).encode(), [*state, None], is_duplicate=True)
    assert (found.scheduled_at, found.started_at, found.completed_at, found.failed_at) == (scheduled, NOW, None, NOW)
    assert (found.retry_count, found.crash_count, found.error_message, found.result) == (2, 1, "broken", {"n": 1})
    assert found.is_duplicate
