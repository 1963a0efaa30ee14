"""The founding document, pattern 4: jobs from RabbitMQ, as a listing on the port and as the package's own."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
import pytest_asyncio
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractRobustConnection
from typing_extensions import override

from portico.adapters.job_trigger import rabbitmq_trigger
from portico.exceptions import DatabaseError
from portico.ports.job_creator import JobCreator
from portico.ports.job_trigger import JobTrigger
from portico.testing import RecordingJobCreator
from portico.utils.logging import get_logger
from tests.docs.running import running, until

logger = get_logger(__name__)


class RabbitMQTrigger(JobTrigger):
    """Trigger that creates jobs from RabbitMQ messages."""

    def __init__(
        self, job_creator: JobCreator, rabbitmq_url: str, queue_name: str, job_type_mapping: dict[str, str]
    ) -> None:
        self.job_creator = job_creator
        self.rabbitmq_url = rabbitmq_url
        self.queue_name = queue_name
        self.job_type_mapping = job_type_mapping
        self._connection: AbstractRobustConnection | None = None
        self._running = False

    @override
    async def start(self) -> None:
        if self._running:
            return
        self._running = True
        self._connection = await aio_pika.connect_robust(self.rabbitmq_url)
        channel = await self._connection.channel()
        queue = await channel.declare_queue(self.queue_name, durable=True)
        await queue.consume(self._on_message)

    @override
    async def stop(self) -> None:
        if not self._running:
            return
        self._running = False
        if self._connection:
            await self._connection.close()

    @property
    @override
    def is_running(self) -> bool:
        return self._running

    async def _on_message(self, message: AbstractIncomingMessage) -> None:
        try:
            await self._create_job(json.loads(message.body.decode()))
        except Exception as e:  # noqa: BLE001 - whatever it was, other messages follow
            logger.error("error_processing_message", error=str(e))  # noqa: TRY400 - expected: no traceback
            await message.reject(requeue=not isinstance(e, ValueError))
        else:
            await message.ack()

    async def _create_job(self, data: dict[str, Any]) -> None:
        # Map event type to job type
        job_type = self.job_type_mapping.get(data["event_type"])
        if job_type:
            await self.job_creator.create_job(
                job_type=job_type,
                payload=data.get("payload", {}),
                queue_name=data.get("queue", "default"),
                priority=data.get("priority", 0),
            )


MAPPING = {"user.created": "email.welcome", "order.placed": "order.process", "payment.received": "invoice.send"}
MakeRabbitMQTrigger = Callable[..., JobTrigger]
pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.parametrize(
        "rabbitmq_trigger_class", [RabbitMQTrigger, rabbitmq_trigger.RabbitMQTrigger], ids=["listing", "package"]
    ),
]


class Broker:
    """A queue of this test's own, and what the outside publishes to it."""

    def __init__(self, channel: AbstractChannel, queue_name: str) -> None:
        self.queue_name = queue_name
        self._channel = channel

    async def publish(self, body: bytes) -> None:
        await self._channel.default_exchange.publish(aio_pika.Message(body), routing_key=self.queue_name)

    async def publish_event(self, event_type: str, **members: Any) -> None:
        await self.publish(json.dumps({"event_type": event_type, **members}).encode())

    async def waiting(self) -> int:
        queue = await self._channel.declare_queue(self.queue_name, passive=True)
        return queue.declaration_result.message_count or 0


@pytest_asyncio.fixture
async def broker(rabbitmq_url: str) -> AsyncIterator[Broker]:
    queue_name = f"portico-test-{uuid4()}"
    async with await aio_pika.connect(rabbitmq_url) as connection, connection.channel() as channel:
        queue = await channel.declare_queue(queue_name, durable=True)
        yield Broker(channel, queue_name)
        await queue.delete(if_unused=False, if_empty=False)


@pytest.fixture
def job_creator() -> RecordingJobCreator:
    return RecordingJobCreator()


@pytest.fixture
def mq_trigger(
    rabbitmq_trigger_class: MakeRabbitMQTrigger, job_creator: RecordingJobCreator, broker: Broker, rabbitmq_url: str
) -> JobTrigger:
    return rabbitmq_trigger_class(
        job_creator=job_creator,
        rabbitmq_url=rabbitmq_url,
        queue_name=broker.queue_name,
        job_type_mapping=MAPPING,
    )


async def _until_created(job_creator: RecordingJobCreator, count: int) -> None:
    async def created() -> bool:
        return len(job_creator.jobs) >= count

    await until(created)


async def test_a_message_becomes_the_job_that_its_event_type_is_mapped_to(
    mq_trigger: JobTrigger, broker: Broker, job_creator: RecordingJobCreator
) -> None:
    async with running(mq_trigger):
        await broker.publish_event("order.placed", payload={"order": 7}, queue="orders", priority=4)
        await _until_created(job_creator, 1)

    (job,) = job_creator.jobs
    assert (job.job_type, job.payload, job.queue_name, job.priority) == ("order.process", {"order": 7}, "orders", 4)


async def test_what_a_message_leaves_out_has_the_defaults(
    mq_trigger: JobTrigger, broker: Broker, job_creator: RecordingJobCreator
) -> None:
    async with running(mq_trigger):
        await broker.publish_event("user.created")
        await _until_created(job_creator, 1)

    (job,) = job_creator.jobs
    assert (job.job_type, job.payload, job.queue_name, job.priority) == ("email.welcome", {}, "default", 0)


async def test_events_that_are_not_mapped_and_messages_that_are_not_json_do_not_stop_the_others(
    mq_trigger: JobTrigger, broker: Broker, job_creator: RecordingJobCreator
) -> None:
    async with running(mq_trigger):
        await broker.publish_event("user.deleted")
        await broker.publish(b"{not json")
        await broker.publish_event("payment.received", payload={"invoice": 3})
        await _until_created(job_creator, 1)

    assert [job.job_type for job in job_creator.jobs] == ["invoice.send"]
    assert await broker.waiting() == 0


async def test_a_message_whose_job_could_not_be_created_comes_again(
    mq_trigger: JobTrigger, broker: Broker, job_creator: RecordingJobCreator
) -> None:
    job_creator.fail_next(DatabaseError("the store is down"))

    async with running(mq_trigger):
        await broker.publish_event("order.placed", payload={"order": 8})
        await _until_created(job_creator, 1)

    assert [job.payload for job in job_creator.jobs] == [{"order": 8}]
    assert await broker.waiting() == 0


async def test_messages_wait_at_the_broker_while_the_trigger_is_stopped(
    mq_trigger: JobTrigger, broker: Broker, job_creator: RecordingJobCreator
) -> None:
    await mq_trigger.start()
    await mq_trigger.stop()
    await broker.publish_event("order.placed", payload={"order": 9})
    assert not mq_trigger.is_running
    assert job_creator.jobs == []

    async with running(mq_trigger):
        await _until_created(job_creator, 1)

    assert [job.payload for job in job_creator.jobs] == [{"order": 9}]
