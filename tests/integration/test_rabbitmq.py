import asyncio
import socket
import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from typing_extensions import override

from portico.adapters.job_trigger.rabbitmq_trigger import RabbitMQMessage, RabbitMQTrigger
from portico.exceptions import ConfigurationError, DatabaseError, ExternalServiceError
from portico.ports.event_inbox import EventOutcome
from portico.ports.job_trigger import TriggerState
from portico.runtime.memory_state import MemoryEventInbox
from portico.testing import RecordingJobCreator
from tests.brokers import Broker, CuttableWire
from tests.triggers import SlowJobCreator, running, until

pytestmark = [pytest.mark.asyncio, pytest.mark.server("rabbitmq")]
MAPPING = {"user.created": "email.welcome"}
EVENT = {"event_type": "user.created", "payload": {"user": 7}}


@pytest_asyncio.fixture
async def broker(rabbitmq_url: str) -> AsyncIterator[Broker]:
    async with Broker(rabbitmq_url) as broker:
        yield broker


@pytest_asyncio.fixture
async def wire(rabbitmq_url: str) -> AsyncIterator[CuttableWire]:
    async with CuttableWire(rabbitmq_url) as wire:
        yield wire


@pytest.fixture
def creator() -> RecordingJobCreator:
    return RecordingJobCreator()


async def test_a_message_is_mapped_to_a_job(broker: Broker, rabbitmq_url: str, creator: RecordingJobCreator) -> None:
    queue = broker.new_queue()
    async with running(RabbitMQTrigger(creator, rabbitmq_url, queue, MAPPING)):
        await broker.publish(queue, {**EVENT, "queue": "emails", "priority": 4}, message_id="m-1")
        await until(lambda: bool(creator.jobs))

    (job,) = creator.jobs
    assert (job.job_type, job.payload, job.queue_name, job.priority) == (
        "email.welcome",
        {"user": 7},
        "emails",
        4,
    )
    assert job.metadata == {"idempotency_key": "rabbitmq:email.welcome:m-1"}
    assert await broker.waiting(queue) == 0


async def test_a_message_is_acknowledged_only_after_its_job_exists(broker: Broker, rabbitmq_url: str) -> None:
    creator = SlowJobCreator()
    queue = broker.new_queue()
    trigger = RabbitMQTrigger(creator, rabbitmq_url, queue, MAPPING)
    await trigger.start()
    await broker.publish(queue, EVENT)
    await creator.reached.wait()

    stop = asyncio.create_task(trigger.stop())
    await asyncio.sleep(0.05)
    assert not stop.done()
    creator.may_finish.set()
    await stop

    assert len(creator.jobs) == 1
    assert await broker.waiting(queue) == 0


async def test_what_is_not_finished_when_it_stops_returns_to_the_queue(
    broker: Broker, rabbitmq_url: str, creator: RecordingJobCreator
) -> None:
    queue = broker.new_queue()
    trigger = RabbitMQTrigger(creator, rabbitmq_url, queue, MAPPING)
    creator.fail_next(DatabaseError("the store is down"), times=1_000)
    async with running(trigger):
        for number in range(3):
            await broker.publish(queue, EVENT, message_id=str(number))
        await until(lambda: trigger.get_health().errors_count >= 3)
        assert trigger.get_health().state is TriggerState.DEGRADED

    assert creator.jobs == []
    assert await broker.waiting(queue) == 3


async def test_a_message_whose_creation_failed_is_held_and_tried_again(
    broker: Broker, rabbitmq_url: str, creator: RecordingJobCreator
) -> None:
    queue = broker.new_queue()
    await broker.declare(queue, durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 1})
    creator.fail_next(DatabaseError("the store is down"), times=3)
    trigger = RabbitMQTrigger(creator, rabbitmq_url, queue, MAPPING, declare=False)
    async with running(trigger):
        await broker.publish(queue, EVENT)
        await until(lambda: bool(creator.jobs))
        assert trigger.get_health().state is TriggerState.RUNNING

    assert trigger.get_health().errors_count == 3
    assert len(creator.jobs) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"\xff\xfe",
        b"[1, 2]",
        b'{"event_type": ["user.created"]}',
        b'{"payload": {}}',
        b'{"event_type": "user.created", "payload": {"price": NaN}}',
        b'{"event_type": "user.created", "payload": [1]}',
        b'{"event_type": "user.created", "payload": null}',
        b'{"event_type": "user.created", "queue": 3}',
        b'{"event_type": "user.created", "queue": ""}',
        b'{"event_type": "user.created", "priority": "high"}',
        b'{"event_type": "user.created", "priority": true}',
        b"[" * 100_000,
        b'{"event_type": "user.created", "payload": {"text": "' + b"x" * 1_048_576 + b'"}}',
    ],
    ids=lambda body: body[:40].decode(errors="replace"),
)
async def test_a_bad_message_is_kept_with_its_reason_and_never_stops_the_consumer(
    broker: Broker, rabbitmq_url: str, creator: RecordingJobCreator, body: bytes
) -> None:
    queue = broker.new_queue()
    inbox = MemoryEventInbox()
    trigger = RabbitMQTrigger(creator, rabbitmq_url, queue, MAPPING, prefetch_count=1, inbox=inbox)
    async with running(trigger):
        await broker.publish(queue, body)
        await broker.publish(queue, EVENT)
        await until(lambda: bool(creator.jobs))

    (rejected,) = await inbox.list_events(outcome=EventOutcome.REJECTED)
    assert rejected.body == body[: 1_048_576 + 1]
    assert rejected.reason
    assert trigger.get_health().rejected_count == 1
    assert trigger.get_health().errors_count == 0
    assert await broker.waiting(queue) == 0


async def test_a_rejected_message_waits_for_the_inbox(
    broker: Broker, rabbitmq_url: str, creator: RecordingJobCreator
) -> None:
    queue = broker.new_queue()
    trigger = RabbitMQTrigger(creator, rabbitmq_url, queue, MAPPING, inbox=BrokenInbox())
    async with running(trigger):
        await broker.publish(queue, b"not json")
        await until(lambda: trigger.get_health().errors_count >= 1)

    assert await broker.waiting(queue) == 1


async def test_an_event_type_that_is_not_mapped_is_acknowledged_without_a_job(
    broker: Broker, rabbitmq_url: str, creator: RecordingJobCreator
) -> None:
    queue = broker.new_queue()
    trigger = RabbitMQTrigger(creator, rabbitmq_url, queue, MAPPING)
    async with running(trigger):
        await broker.publish(queue, {"event_type": "user.deleted"})
        await until(lambda: trigger.get_health().filtered_count == 1)

    assert creator.jobs == []
    assert await broker.waiting(queue) == 0


async def test_it_survives_a_restart_of_the_broker(
    broker: Broker, wire: CuttableWire, creator: RecordingJobCreator
) -> None:
    queue = broker.new_queue()
    trigger = RabbitMQTrigger(creator, wire.url, queue, MAPPING)
    async with running(trigger):
        await wire.cut()
        await until(lambda: trigger.get_health().state is TriggerState.BACKOFF)
        assert trigger.is_running
        await broker.publish(queue, EVENT)
        await wire.restore()
        await until(lambda: bool(creator.jobs))
        assert trigger.get_health().state is TriggerState.RUNNING


async def test_a_creation_under_way_when_the_connection_breaks_is_left_to_the_redelivery(
    broker: Broker, wire: CuttableWire
) -> None:
    creator = SlowJobCreator()
    queue = broker.new_queue()
    trigger = RabbitMQTrigger(creator, wire.url, queue, MAPPING)
    async with running(trigger):
        await broker.publish(queue, EVENT, message_id="m-1")
        await creator.reached.wait()
        await wire.cut()
        await until(lambda: trigger.get_health().state is TriggerState.BACKOFF)
        creator.may_finish.set()
        await wire.restore()
        await until(lambda: bool(creator.jobs))

    assert len(creator.jobs) == 1
    assert trigger.get_health().duplicates_count == 0
    assert await broker.waiting(queue) == 0


async def test_a_message_whose_acknowledgement_was_lost_makes_no_second_job(
    broker: Broker, wire: CuttableWire, creator: RecordingJobCreator
) -> None:
    queue = broker.new_queue()
    trigger = ForgetfulTrigger(creator, wire.url, queue, MAPPING)
    async with running(trigger):
        await broker.publish(queue, EVENT, message_id="m-1")
        await until(lambda: bool(creator.jobs))
        await wire.cut()
        await wire.restore()
        await until(lambda: trigger.get_health().duplicates_count == 1)

    assert len(creator.jobs) == 1
    assert await broker.waiting(queue) == 0


async def test_it_survives_the_deletion_of_its_queue(
    broker: Broker, rabbitmq_url: str, creator: RecordingJobCreator
) -> None:
    queue = broker.new_queue()
    trigger = RabbitMQTrigger(creator, rabbitmq_url, queue, MAPPING)
    async with running(trigger):
        await broker.delete(queue)
        await until(lambda: trigger.get_health().state is TriggerState.BACKOFF)
        await until(lambda: trigger.get_health().state is TriggerState.RUNNING)
        await broker.publish(queue, EVENT)
        await until(lambda: bool(creator.jobs))


async def test_a_queue_that_it_may_not_declare_is_waited_for(
    broker: Broker, rabbitmq_url: str, creator: RecordingJobCreator
) -> None:
    queue = broker.new_queue()
    await broker.declare(queue)
    trigger = RabbitMQTrigger(creator, rabbitmq_url, queue, MAPPING, declare=False)
    async with running(trigger):
        await broker.delete(queue)
        await until(lambda: "no queue" in (trigger.get_health().last_error or ""))
        await broker.declare(queue)
        await broker.publish(queue, EVENT)
        await until(lambda: bool(creator.jobs))


async def test_stopping_while_the_broker_is_away_is_prompt(
    broker: Broker, wire: CuttableWire, creator: RecordingJobCreator
) -> None:
    trigger = RabbitMQTrigger(creator, wire.url, broker.new_queue(), MAPPING)
    await trigger.start()
    await wire.cut()
    async with asyncio.timeout(2):
        await trigger.stop()
    assert not trigger.is_running


async def test_a_broker_that_is_not_there_is_named_without_the_password(creator: RecordingJobCreator) -> None:
    trigger = RabbitMQTrigger(creator, "amqp://someone:s3cret@127.0.0.1:1/", "events", MAPPING)

    with pytest.raises(ExternalServiceError, match=r"127\.0\.0\.1:1 cannot be reached") as caught:
        await trigger.start()

    assert not trigger.is_running
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


async def test_a_broker_that_does_not_answer_is_given_up_in_time(creator: RecordingJobCreator) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    port = silent.getsockname()[1]
    trigger = RabbitMQTrigger(
        creator, f"amqp://guest:guest@127.0.0.1:{port}/", "events", MAPPING, connect_timeout_seconds=0.2
    )
    with silent, pytest.raises(ExternalServiceError, match=r"did not answer within 0\.2 s"):
        await trigger.start()


async def test_wrong_credentials_are_said(rabbitmq_url: str, creator: RecordingJobCreator) -> None:
    _, _, server = rabbitmq_url.rpartition("@")
    trigger = RabbitMQTrigger(creator, f"amqp://someone:s3cret@{server}", "events", MAPPING)

    with pytest.raises(ExternalServiceError, match="refused the user or the password") as caught:
        await trigger.start()

    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


async def test_a_missing_queue_is_an_error_at_start(rabbitmq_url: str, creator: RecordingJobCreator) -> None:
    trigger = RabbitMQTrigger(creator, rabbitmq_url, "portico-test-no-such-queue", MAPPING, declare=False)

    with pytest.raises(ConfigurationError, match="no queue 'portico-test-no-such-queue'; declare=True"):
        await trigger.start()


async def test_a_queue_with_other_properties_is_an_error_at_start(
    broker: Broker, rabbitmq_url: str, creator: RecordingJobCreator
) -> None:
    queue = broker.new_queue()
    await broker.declare(queue, durable=False)

    with pytest.raises(ConfigurationError, match="exists with other properties; declare=False"):
        await RabbitMQTrigger(creator, rabbitmq_url, queue, MAPPING).start()


async def test_an_overridden_handler_is_called_and_acknowledged_for(
    broker: Broker, rabbitmq_url: str, creator: RecordingJobCreator
) -> None:
    queue = broker.new_queue()
    trigger = RawTrigger(creator, rabbitmq_url, queue, MAPPING)
    async with running(trigger):
        await broker.publish(queue, b"anything")
        await until(lambda: bool(creator.jobs))

    assert creator.jobs[0].payload == {"length": 8}
    assert await broker.waiting(queue) == 0


async def test_an_override_that_answers_for_itself_is_not_answered_twice(
    broker: Broker, rabbitmq_url: str, creator: RecordingJobCreator
) -> None:
    queue = broker.new_queue()
    trigger = SelfAnsweringTrigger(creator, rabbitmq_url, queue, MAPPING, prefetch_count=1)
    async with running(trigger):
        await broker.publish(queue, b"bad")
        await broker.publish(queue, b"good")
        await until(lambda: bool(creator.jobs))
        assert trigger.get_health().errors_count == 1
        assert trigger.get_health().state is TriggerState.DEGRADED
        assert await broker.consumers(queue) == 1

    assert len(creator.jobs) == 1
    assert await broker.waiting(queue) == 0


class RawTrigger(RabbitMQTrigger):
    @override
    async def _on_message(self, message: RabbitMQMessage) -> None:
        await self.job_creator.create_job(job_type="raw", payload={"length": len(message.body)})


class ForgetfulTrigger(RabbitMQTrigger):
    @override
    async def _acknowledge(self, message: RabbitMQMessage) -> None:
        if self.get_health().duplicates_count:
            await super()._acknowledge(message)


class SelfAnsweringTrigger(RabbitMQTrigger):
    @override
    async def _on_message(self, message: Any) -> None:
        async with message.process():
            if message.body == b"bad":
                raise RuntimeError("no")
            await self.job_creator.create_job(job_type="raw", payload={})


class BrokenInbox(MemoryEventInbox):
    @override
    async def record(self, event: Any) -> None:
        raise DatabaseError("the disk is full")
