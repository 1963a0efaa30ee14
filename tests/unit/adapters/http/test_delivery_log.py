"""The delivery log: list, show, replay."""

import json
from uuid import uuid4

import pytest

from portico.adapters.http.delivery_log import REPLAY_OF
from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookSource, WebhookTrigger
from portico.exceptions import ConflictError, ResourceNotFoundError
from portico.ports.event_inbox import EventOutcome
from portico.testing import RecordingJobCreator
from tests.unit.adapters.job_trigger.webhooks import JOB, JOBS, calling

pytestmark = pytest.mark.asyncio

TOKEN = "a-token-of-thirty-two-characters"
SOURCE = WebhookSource(name="code", provider="gitlab", secrets=[TOKEN], job_type="build.start", dedup="body")
FULL = WebhookConfig(allowed_job_types=["email.send"], delivery_log="full")


@pytest.fixture
def creator() -> RecordingJobCreator:
    return RecordingJobCreator()


async def test_every_delivery_is_listed_with_what_became_of_it(creator: RecordingJobCreator) -> None:
    trigger = WebhookTrigger(creator, FULL)

    async with calling(trigger) as client:
        await client.post(JOBS, json=JOB, headers={"Idempotency-Key": "k", "Authorization": "Bearer hunter2hunter2"})
        await client.post(JOBS, json=JOB, headers={"Idempotency-Key": "k"})
        await client.post(JOBS, json={**JOB, "job_type": "account.delete"})
        refused, repeated, accepted = await trigger.deliveries.list()

    assert (refused.outcome, refused.reason) == (EventOutcome.REJECTED, "Job type 'account.delete' not allowed")
    assert (repeated.outcome, repeated.job_ids) == (EventOutcome.DUPLICATE, accepted.job_ids)
    assert (accepted.outcome, accepted.source_id) == (EventOutcome.ACCEPTED, "k")
    assert accepted.headers["authorization"] == "[redacted]"
    assert accepted.headers["content-type"] == "application/json"
    assert json.loads(accepted.body or b"") == JOB


async def test_a_list_is_one_source_one_outcome_or_one_page(creator: RecordingJobCreator) -> None:
    trigger = WebhookTrigger(creator, FULL)
    async with calling(trigger) as client:
        for number in range(5):
            await client.post(JOBS, json={**JOB, "payload": {"n": number}})
        await client.post(JOBS, json={**JOB, "job_type": "account.delete"})

        newest = await trigger.deliveries.list(limit=2, source="jobs")
        older = await trigger.deliveries.list(limit=10, source="jobs", before=newest[-1].id)
        refused = await trigger.deliveries.list(outcome=EventOutcome.REJECTED)

        assert await trigger.deliveries.list(source="code") == []
    assert [len(newest), len(older), len(refused)] == [2, 4, 1]
    assert not {event.id for event in newest} & {event.id for event in older}


@pytest.mark.webhook_case(120)
async def test_a_replay_keeps_the_bytes_and_is_a_delivery_of_its_own(creator: RecordingJobCreator) -> None:
    trigger = WebhookTrigger(creator, FULL)
    body = b'{"job_type" :"email.send","payload":{"text":"\\u00e9 \xc3\xa9"}}'

    async with calling(trigger) as client:
        await client.post(JOBS, content=body, headers={"Content-Type": "application/json", "Idempotency-Key": "k"})
        (first,) = await trigger.deliveries.list()
        (job,) = await trigger.deliveries.replay(first.id)
        replayed, _ = await trigger.deliveries.list()

    assert [each.payload for each in creator.jobs] == [{"text": "é é"}] * 2
    assert job.id != first.job_ids[0]
    assert (replayed.body, replayed.job_ids, replayed.outcome) == (body, (job.id,), EventOutcome.ACCEPTED)
    assert replayed.headers[REPLAY_OF] == str(first.id)


async def test_a_refused_delivery_passes_when_it_is_replayed_to_a_webhook_that_lets_it_in(
    creator: RecordingJobCreator,
) -> None:
    strict = WebhookTrigger(creator, FULL)
    async with calling(strict) as client:
        await client.post(JOBS, json={**JOB, "job_type": "report.generate"})
        (refused,) = await strict.deliveries.list()

    (job,) = await WebhookTrigger(creator, inbox=strict.inbox).deliveries.replay(refused.id)

    assert job.job_type == "report.generate"


async def test_a_header_field_does_not_choose_where_a_replay_goes(creator: RecordingJobCreator) -> None:
    trigger = WebhookTrigger(creator, WebhookConfig(sources=[SOURCE], delivery_log="full"))

    async with calling(trigger) as client:
        await client.post(JOBS, json=JOB, headers={":path": "/webhooks/sources/code"})
        (logged,) = await trigger.deliveries.list()
        await trigger.deliveries.replay(logged.id)

    assert [job.job_type for job in creator.jobs] == ["email.send", "email.send"]


async def test_without_its_body_a_delivery_cannot_be_replayed(creator: RecordingJobCreator) -> None:
    trigger = WebhookTrigger(creator, WebhookConfig(allowed_job_types=["email.send"]))

    async with calling(trigger) as client:
        await client.post(JOBS, json=JOB)
        (event,) = await trigger.deliveries.list()

    assert event.body is None
    with pytest.raises(ConflictError, match="delivery_log='full'"):
        await trigger.deliveries.replay(event.id)


async def test_a_delivery_that_is_unknown_or_another_triggers_is_not_found(creator: RecordingJobCreator) -> None:
    trigger = WebhookTrigger(creator, FULL)
    async with calling(trigger) as client:
        await client.post(JOBS, json=JOB)
        (event,) = await trigger.deliveries.list()
    other = WebhookTrigger(creator, FULL, name="other", inbox=trigger.inbox)

    for log, delivery_id in ((trigger.deliveries, uuid4()), (other.deliveries, event.id)):
        with pytest.raises(ResourceNotFoundError):
            await log.show(delivery_id)


async def test_nothing_is_kept_where_that_was_chosen(creator: RecordingJobCreator) -> None:
    trigger = WebhookTrigger(creator, WebhookConfig(allowed_job_types=["email.send"], delivery_log="off"))

    async with calling(trigger) as client:
        await client.post(JOBS, json=JOB)
        await client.post(JOBS, json={**JOB, "job_type": "account.delete"})

        assert await trigger.deliveries.list() == []


@pytest.mark.webhook_case(120)
async def test_a_sources_delivery_is_replayed_to_a_new_job(creator: RecordingJobCreator) -> None:
    config = WebhookConfig(allowed_job_types=["email.send", "build.start"], delivery_log="full", sources=[SOURCE])
    trigger = WebhookTrigger(creator, config)

    async with calling(trigger) as client:
        for _ in range(2):
            await client.post("/webhooks/sources/code", json={"order": 7}, headers={"X-Gitlab-Token": TOKEN})
        repeated, first = await trigger.deliveries.list(source="code")
        (job,) = await trigger.deliveries.replay(first.id)

    assert repeated.outcome is EventOutcome.DUPLICATE
    assert TOKEN not in str(first.headers)
    assert [each.id for each in creator.jobs] == [first.job_ids[0], job.id]
    assert creator.jobs[0].payload["data"] == creator.jobs[1].payload["data"] == {"order": 7}
