"""Every transition from every status."""

import uuid
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest

from portico.exceptions import ConflictError
from portico.ports import job_lifecycle
from portico.ports.job import Job, JobStatus

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
BEFORE = NOW - timedelta(hours=1)
S = JobStatus

CALLS: dict[Callable[..., Job], Callable[[Job], Job]] = {
    job_lifecycle.claimed: partial(job_lifecycle.claimed, now=NOW),
    job_lifecycle.completed: partial(job_lifecycle.completed, now=NOW, result={"rows": 3}),
    job_lifecycle.rejected: partial(job_lifecycle.rejected, now=NOW, requeue=True, error_message="failed"),
    job_lifecycle.released: job_lifecycle.released,
    job_lifecycle.crashed: partial(job_lifecycle.crashed, now=NOW),
    job_lifecycle.cancelled: partial(job_lifecycle.cancelled, now=NOW),
    job_lifecycle.aborted: partial(job_lifecycle.aborted, now=NOW),
    job_lifecycle.revived: job_lifecycle.revived,
}

# what each allowed pair leads to; every other pair is refused
NEXT = {
    (job_lifecycle.claimed, S.PENDING): S.RUNNING,
    (job_lifecycle.claimed, S.SCHEDULED): S.RUNNING,
    (job_lifecycle.claimed, S.RETRYING): S.RUNNING,
    (job_lifecycle.completed, S.RUNNING): S.COMPLETED,
    (job_lifecycle.rejected, S.RUNNING): S.RETRYING,
    (job_lifecycle.released, S.RUNNING): S.PENDING,
    (job_lifecycle.crashed, S.RUNNING): S.RETRYING,
    (job_lifecycle.cancelled, S.PENDING): S.FAILED,
    (job_lifecycle.cancelled, S.SCHEDULED): S.FAILED,
    (job_lifecycle.cancelled, S.RETRYING): S.FAILED,
    (job_lifecycle.aborted, S.RUNNING): S.FAILED,
    (job_lifecycle.revived, S.FAILED): S.PENDING,
    (job_lifecycle.revived, S.DEAD_LETTER): S.PENDING,
}
ALL_PAIRS = [(transition, status) for transition in CALLS for status in JobStatus]


def job(status: JobStatus = S.RUNNING) -> Job:
    return Job(id=uuid.UUID(int=1), queue_name="q", job_type="t", payload={"n": 1}, status=status, created_at=BEFORE)


def changed(before: Job, after: Job) -> set[str]:
    return {each.name for each in fields(Job) if getattr(before, each.name) != getattr(after, each.name)}


def test_the_table_names_every_transition() -> None:
    assert set(CALLS) == set(job_lifecycle.TRANSITIONS)
    assert {
        (transition, status) for transition, allowed in job_lifecycle.TRANSITIONS.items() for status in allowed
    } == set(NEXT)


@pytest.mark.parametrize(("transition", "status"), ALL_PAIRS)
def test_a_transition_leads_where_the_table_says_or_is_refused(
    transition: Callable[..., Job], status: JobStatus
) -> None:
    expected = NEXT.get((transition, status))
    if expected is not None:
        assert CALLS[transition](job(status)).status is expected
        return
    with pytest.raises(ConflictError, match=status.value):
        CALLS[transition](job(status))


@pytest.mark.parametrize(("transition", "status"), ALL_PAIRS)
def test_no_transition_touches_what_was_asked_for(transition: Callable[..., Job], status: JobStatus) -> None:
    if (transition, status) not in NEXT:
        return
    asked_for = {"id", "queue_name", "job_type", "payload", "priority", "max_retries", "created_by", "metadata"}
    assert not changed(job(status), CALLS[transition](job(status))) & (asked_for | {"created_at"})


@pytest.mark.parametrize(
    ("scheduled_at", "status"), [(None, S.PENDING), (BEFORE, S.SCHEDULED), (NOW + timedelta(days=1), S.SCHEDULED)]
)
def test_a_new_job_is_scheduled_when_it_has_a_time(scheduled_at: datetime | None, status: JobStatus) -> None:
    assert job_lifecycle.enqueued(replace(job(S.PENDING), scheduled_at=scheduled_at), NOW).status is status


def test_a_new_job_has_no_past() -> None:
    used = replace(
        job(S.DEAD_LETTER),
        retry_count=3,
        crash_count=2,
        started_at=BEFORE,
        completed_at=BEFORE,
        failed_at=BEFORE,
        error_message="old",
        result={"old": True},
        is_duplicate=True,
        created_at=None,
    )
    fresh = Job(id=used.id, queue_name="q", job_type="t", payload={"n": 1}, created_at=NOW)
    enqueued = job_lifecycle.enqueued(used, NOW)
    assert enqueued == fresh
    assert not enqueued.is_duplicate


def test_times_are_brought_to_utc() -> None:
    there = timezone(timedelta(hours=-5))
    enqueued = job_lifecycle.enqueued(replace(job(), scheduled_at=NOW.astimezone(there), created_at=None), NOW)
    assert enqueued.scheduled_at is not None
    assert (enqueued.scheduled_at, enqueued.scheduled_at.tzinfo) == (NOW, UTC)


def test_a_naive_time_is_the_systems_local_time() -> None:
    naive = datetime(2030, 7, 1, 12)  # noqa: DTZ001 - naive is what is tested
    assert job_lifecycle.in_utc(naive) == naive.astimezone(UTC)


def test_a_claim_notes_when() -> None:
    assert changed(job(S.PENDING), job_lifecycle.claimed(job(S.PENDING), NOW)) == {"status", "started_at"}


def test_completion_keeps_the_result_and_forgets_the_last_error() -> None:
    done = job_lifecycle.completed(replace(job(), error_message="first try"), NOW, {"rows": 3})
    assert (done.completed_at, done.result, done.error_message) == (NOW, {"rows": 3}, None)


@pytest.mark.parametrize(
    ("retry_count", "requeue", "status", "retries_after"),
    [(0, True, S.RETRYING, 1), (2, True, S.RETRYING, 3), (3, True, S.DEAD_LETTER, 3), (0, False, S.FAILED, 0)],
)
def test_rejection_uses_up_retries(retry_count: int, requeue: bool, status: JobStatus, retries_after: int) -> None:  # noqa: FBT001 - a column of the table
    after = job_lifecycle.rejected(
        replace(job(), retry_count=retry_count), NOW, requeue=requeue, error_message="failed"
    )
    assert (after.status, after.retry_count, after.error_message) == (status, retries_after, "failed")
    assert after.failed_at == (NOW if status.is_final else None)


@pytest.mark.parametrize(
    ("past", "status"),
    [
        ({}, S.PENDING),
        ({"scheduled_at": BEFORE}, S.SCHEDULED),
        ({"retry_count": 1, "scheduled_at": BEFORE}, S.RETRYING),
        ({"crash_count": 1}, S.RETRYING),
    ],
)
def test_release_restores_the_status_before_the_claim(past: dict[str, Any], status: JobStatus) -> None:
    running = replace(job(), started_at=NOW, **past)
    released = job_lifecycle.released(running)
    assert (released.status, released.started_at) == (status, None)
    assert changed(running, released) == {"status", "started_at"}


def test_crashes_are_counted_apart_from_retries_and_have_their_own_limit() -> None:
    crashed = job_lifecycle.crashed(replace(job(), crash_count=4), NOW, max_crashes=5)
    assert (crashed.status, crashed.crash_count, crashed.retry_count) == (S.RETRYING, 5, 0)
    dead = job_lifecycle.crashed(replace(job(), crash_count=5), NOW, max_crashes=5)
    assert (dead.status, dead.failed_at, dead.crash_count) == (S.DEAD_LETTER, NOW, 6)


def test_a_cancelled_job_says_so() -> None:
    for cancelled in (job_lifecycle.cancelled(job(S.PENDING), NOW), job_lifecycle.aborted(job(), NOW)):
        assert (cancelled.error_message, cancelled.failed_at) == ("Job cancelled", NOW)


def test_a_revived_job_starts_from_nothing() -> None:
    failed = replace(
        job(S.DEAD_LETTER), retry_count=3, crash_count=1, failed_at=NOW, error_message="x", scheduled_at=BEFORE
    )
    assert job_lifecycle.revived(failed) == job(S.PENDING)
