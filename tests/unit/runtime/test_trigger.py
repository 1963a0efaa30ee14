"""The one way from an event to a job."""

from datetime import UTC, datetime
from typing import Any, ClassVar
from unittest.mock import AsyncMock

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.exceptions import ConfigurationError, DatabaseError, ValidationError
from portico.ports.event_inbox import EventOutcome, InboxEvent
from portico.ports.job_creator import JobCreator, JobRequest
from portico.ports.job_trigger import TriggerState
from portico.runtime.events import Event, FilteredError
from portico.runtime.memory_state import MemoryEventInbox, MemoryTriggerStore
from portico.runtime.trigger import Accepted, BaseTrigger, Dismissed
from portico.testing import FakeClock, RecordingJobCreator

pytestmark = pytest.mark.asyncio

START = datetime(2026, 3, 1, tzinfo=UTC)
EVENT = Event(source_id="e-1", body=b'{"secret": 1}')


class ProbeTrigger(BaseTrigger):
    kind: ClassVar[str] = "probe"


class BrokenInbox(MemoryEventInbox):
    @override
    async def record(self, event: InboxEvent) -> None:
        raise DatabaseError("disk full")


def request_of(event: Event) -> JobRequest:
    return JobRequest(job_type="t", payload={}, metadata={"idempotency_key": event.source_id})


def filter_out(_: Event) -> JobRequest:
    raise FilteredError("not of interest")


def refuse(_: Event) -> JobRequest:
    raise ValidationError("payload.a: missing")


@pytest.fixture
def creator() -> RecordingJobCreator:
    return RecordingJobCreator()


@pytest.fixture
def trigger(creator: RecordingJobCreator) -> ProbeTrigger:
    return ProbeTrigger(creator, clock=FakeClock(START))


async def test_an_event_becomes_a_job_and_a_line_in_the_inbox(trigger: ProbeTrigger) -> None:
    answer = await trigger._process(EVENT, request_of)
    assert isinstance(answer, Accepted)
    (entry,) = await trigger.inbox.list_events()
    assert (entry.outcome, entry.job_ids, entry.source_id) == (EventOutcome.ACCEPTED, (answer.job.id,), "e-1")
    assert entry.body is None
    assert trigger.get_health().jobs_created_count == 1
    assert trigger.get_health().last_job_created == START


async def test_the_same_event_again_is_a_duplicate_and_counts_no_job(trigger: ProbeTrigger) -> None:
    await trigger._process(EVENT, request_of)
    await trigger._process(EVENT, request_of)
    health = trigger.get_health()
    assert (health.jobs_created_count, health.duplicates_count, health.errors_count) == (1, 1, 0)


async def test_a_filtered_event_is_dismissed_without_a_job(trigger: ProbeTrigger, creator: RecordingJobCreator) -> None:
    answer = await trigger._process(EVENT, filter_out)
    assert answer == Dismissed(EventOutcome.FILTERED, "not of interest")
    assert creator.jobs == []


async def test_a_rejected_event_is_kept_with_its_reason_and_its_bytes(trigger: ProbeTrigger) -> None:
    answer = await trigger._process(EVENT, refuse)
    assert answer == Dismissed(EventOutcome.REJECTED, "payload.a: missing")
    (entry,) = await trigger.inbox.list_events(outcome=EventOutcome.REJECTED)
    assert (entry.reason, entry.body) == ("payload.a: missing", EVENT.body)
    assert trigger.get_health().errors_count == 0
    assert trigger.get_health().rejected_count == 1


async def test_a_rejection_that_cannot_be_recorded_is_not_acknowledged(creator: RecordingJobCreator) -> None:
    trigger = ProbeTrigger(creator, inbox=BrokenInbox())
    with pytest.raises(DatabaseError):
        await trigger._process(EVENT, refuse)


async def test_a_job_that_exists_is_acknowledged_even_if_the_inbox_fails(creator: RecordingJobCreator) -> None:
    trigger = ProbeTrigger(creator, inbox=BrokenInbox())
    assert isinstance(await trigger._process(EVENT, request_of), Accepted)


async def test_a_failed_creation_is_counted_once_and_passed_on(
    trigger: ProbeTrigger, creator: RecordingJobCreator
) -> None:
    await trigger.start()
    creator.fail_next(DatabaseError("disk full"))
    with pytest.raises(DatabaseError) as caught:
        await trigger._process(EVENT, request_of)
    trigger._on_backoff("loop", caught.value, 1.0)
    health = trigger.get_health()
    assert health.errors_count == 1
    assert health.last_error == "DatabaseError: disk full"
    assert health.state is TriggerState.BACKOFF
    await trigger._process(EVENT, request_of)
    assert trigger.get_health().state is TriggerState.RUNNING
    assert trigger.get_health().last_error is None
    await trigger.stop()


async def test_one_error_object_for_two_creations_is_two_failures_and_no_third_where_their_ways_end(
    trigger: ProbeTrigger, creator: RecordingJobCreator
) -> None:
    error = DatabaseError("disk full")
    creator.fail_next(error, times=2)
    for _ in range(2):
        with pytest.raises(DatabaseError):
            await trigger._process(EVENT, request_of)
    for _ in range(2):
        trigger._failed(error)
    assert trigger.get_health().errors_count == 2

    trigger._failed(error)
    assert trigger.get_health().errors_count == 3


async def test_a_creator_is_called_with_four_keywords_when_there_is_no_more_to_say() -> None:
    creator = AsyncMock(spec=JobCreator)
    await ProbeTrigger(creator)._submit(JobRequest(job_type="t", payload={"a": 1}))
    creator.create_job.assert_awaited_once_with(job_type="t", payload={"a": 1}, queue_name="default", priority=0)


async def test_a_mock_as_creator_counts_as_a_new_job() -> None:
    trigger = ProbeTrigger(AsyncMock(spec=JobCreator))
    await trigger._submit(JobRequest(job_type="t", payload={}))
    assert trigger.get_health().jobs_created_count == 1


async def test_two_requests_go_in_one_call_where_the_creator_can(
    trigger: ProbeTrigger, creator: RecordingJobCreator
) -> None:
    requests = [JobRequest(job_type="t", payload={"n": number}) for number in range(2)]
    jobs = await trigger._submit_many(requests)
    assert [job.payload for job in jobs] == [{"n": 0}, {"n": 1}]


async def test_two_requests_are_two_calls_where_the_creator_cannot() -> None:
    creator = AsyncMock(spec=JobCreator)
    await ProbeTrigger(creator)._submit_many([JobRequest(job_type="t", payload={})] * 2)
    assert creator.create_job.await_count == 2


async def test_a_trigger_without_a_store_says_once_at_start_that_it_remembers_nothing(trigger: ProbeTrigger) -> None:
    with capture_logs() as logs:
        await trigger.start()
    await trigger.stop()
    assert [entry["event"] for entry in logs].count("trigger_state_in_memory") == 1


async def test_a_trigger_with_both_says_nothing_of_the_kind(creator: RecordingJobCreator) -> None:
    trigger = ProbeTrigger(creator, store=MemoryTriggerStore(), inbox=MemoryEventInbox())
    with capture_logs() as logs:
        await trigger.start()
    await trigger.stop()
    assert "trigger_state_in_memory" not in [entry["event"] for entry in logs]


async def test_a_blank_name_is_refused(creator: RecordingJobCreator) -> None:
    with pytest.raises(ConfigurationError, match="name must not be blank"):
        ProbeTrigger(creator, name=" ")


async def test_what_cannot_create_jobs_is_refused_as_a_creator() -> None:
    queue: Any = MemoryJobQueueAdapter()
    with pytest.raises(ConfigurationError, match=r"job_creator must be a JobCreator, .* not MemoryJobQueueAdapter"):
        ProbeTrigger(queue)


async def test_no_log_line_holds_the_payload(trigger: ProbeTrigger) -> None:
    with capture_logs() as logs:
        await trigger._process(EVENT, refuse)
        await trigger._process(EVENT, request_of)
    assert "secret" not in str(logs)


async def test_a_long_identity_makes_a_short_key_that_differs_with_it(trigger: ProbeTrigger) -> None:
    keys = {trigger._key("t", identity) for identity in ("a" * 4_000, "a" * 4_001, "b", "\udc80" * 500)}
    assert len(keys) == 4
    assert all(key.startswith("probe:t:") and len(key) < 500 for key in keys)


async def test_one_error_object_raised_twice_is_two_failures(trigger: ProbeTrigger) -> None:
    error = DatabaseError("down")
    for _ in range(2):
        trigger._on_backoff("loop", error, 1.0)
    assert trigger.get_health().errors_count == 2
