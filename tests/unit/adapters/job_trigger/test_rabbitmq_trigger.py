import importlib.util
import json
from typing import Any
from unittest.mock import AsyncMock

import pytest

from portico.adapters.job_trigger.rabbitmq_trigger import RabbitMQTrigger
from portico.exceptions import ConfigurationError, DatabaseError, MissingExtraError
from portico.ports.job_creator import JobCreator
from portico.testing import RecordingJobCreator

URL = "amqp://localhost"
MAPPING = {"user.created": "email.welcome"}


class Message:
    def __init__(self, content: Any, message_id: str | None = None) -> None:
        self.body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.message_id = message_id
        self.processed = False

    async def ack(self) -> None:
        assert not self.processed
        self.processed = True


@pytest.mark.asyncio
@pytest.mark.parametrize("message_id", [None, ""])
async def test_a_message_without_an_id_is_asked_for_with_exactly_four_keywords(message_id: str | None) -> None:
    creator = AsyncMock(spec=JobCreator)
    message = Message({"event_type": "user.created", "payload": {"user": 7}}, message_id)

    await RabbitMQTrigger(creator, URL, "events", MAPPING)._on_message(message)

    creator.create_job.assert_awaited_once_with(
        job_type="email.welcome", payload={"user": 7}, queue_name="default", priority=0
    )
    assert message.processed


@pytest.mark.asyncio
async def test_a_message_id_is_its_key() -> None:
    creator = AsyncMock(spec=JobCreator)
    message = Message({"event_type": "user.created"}, "m-1")

    await RabbitMQTrigger(creator, URL, "events", MAPPING, name="events")._on_message(message)

    creator.create_job.assert_awaited_once_with(
        job_type="email.welcome",
        payload={},
        queue_name="default",
        priority=0,
        metadata={"idempotency_key": "events:email.welcome:m-1"},
    )


@pytest.mark.asyncio
async def test_a_message_whose_creation_failed_is_not_acknowledged() -> None:
    creator = RecordingJobCreator()
    creator.fail_next(DatabaseError("the store is down"))
    message = Message({"event_type": "user.created"})

    with pytest.raises(DatabaseError):
        await RabbitMQTrigger(creator, URL, "events", MAPPING)._on_message(message)

    assert not message.processed


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rabbitmq_url": "http://localhost"}, "'http'; supported are amqp:// and amqps://"),
        ({"rabbitmq_url": "localhost"}, "supported are amqp:// and amqps://"),
        ({"rabbitmq_url": "amqp://guest:hunter/2@localhost"}, "write '/', '@' and ':' as %2F, %40 and %3A"),
        ({"queue_name": ""}, "queue_name must not be empty"),
        ({"job_type_mapping": {}}, "job_type_mapping is empty"),
        (
            {"job_type_mapping": {"user.created": ""}},
            r"job_type_mapping\['user.created'\] must be a text that is not blank",
        ),
        ({"prefetch_count": 0}, "prefetch_count must be from 1 to 65535, not 0"),
        ({"connect_timeout_seconds": 0}, "connect_timeout_seconds must be more than 0, not 0"),
        ({"name": " "}, "name must not be blank"),
    ],
)
def test_a_wrong_setting_is_refused_at_once(options: dict[str, Any], says: str) -> None:
    settings = {"rabbitmq_url": URL, "queue_name": "events", "job_type_mapping": MAPPING, **options}

    with pytest.raises(ConfigurationError, match=says) as caught:
        RabbitMQTrigger(RecordingJobCreator(), **settings)

    assert "hunter" not in str(caught.value)


def test_without_its_library_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "portico.adapters.job_trigger.rabbitmq_trigger.find_spec",
        lambda name: None if name == "aio_pika" else importlib.util.find_spec(name),
    )

    with pytest.raises(MissingExtraError, match=r"portico-jobs\[rabbitmq\]"):
        RabbitMQTrigger(RecordingJobCreator(), URL, "events", MAPPING)


def test_its_summary_names_the_queue_the_broker_and_the_types_and_no_password() -> None:
    trigger = RabbitMQTrigger(RecordingJobCreator(), "amqp://guest:hunter2@broker/", "events", {"a": "x.y", "b": "x.y"})

    assert trigger.summary == "events at broker:5672  -> x.y"


def test_the_password_is_in_no_representation() -> None:
    trigger = RabbitMQTrigger(RecordingJobCreator(), "amqp://guest:s3cret@localhost", "events", MAPPING)

    assert "s3cret" not in repr(trigger) + repr(trigger._source)
