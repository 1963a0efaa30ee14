"""Jobs from RabbitMQ messages."""

import asyncio
from collections.abc import Mapping
from importlib.util import find_spec
from inspect import isawaitable
from typing import Any, ClassVar

from typing_extensions import override

from portico.adapters.rabbitmq.deliveries import Deliveries, RabbitMQMessage, RabbitMQSource, explained
from portico.exceptions import ConfigurationError, MissingExtraError, ValidationError
from portico.ports.clock import Clock
from portico.ports.event_inbox import EventInbox
from portico.ports.job_creator import JobCreator, JobRequest
from portico.ports.trigger_store import TriggerStore
from portico.runtime.consuming import ConsumingTrigger, Subscription
from portico.runtime.events import Event, FilteredError
from portico.runtime.intake.names import shown
from portico.runtime.intake.strict_json import decode_json
from portico.runtime.setting_checks import require_name
from portico.utils.logging import get_logger

__all__ = ["RabbitMQMessage", "RabbitMQTrigger"]

logger = get_logger(__name__)

MAX_BODY_BYTES = 1_048_576


class RabbitMQTrigger(ConsumingTrigger[RabbitMQMessage]):
    """Makes a job of each message ``{"event_type": ..., "payload": {...}, "queue": ..., "priority": ...}``.

    Args:
        job_creator: what creates the jobs.
        rabbitmq_url: ``amqp://user:password@host:port/vhost`` or ``amqps://...``.
        queue_name: the broker's queue.
        job_type_mapping: from a message's `event_type` to the type of its job; other messages are filtered.
        prefetch_count: how many messages may be unanswered at once (default 20).
        declare: create the queue, durable, where it does not exist; False takes an existing one as it is.
        connect_timeout_seconds: how long `start` waits for the broker (default 15).
        name: the trigger's name, by default ``rabbitmq``.
        clock: the time.
        store: not used; every trigger takes one.
        inbox: where rejected messages are kept.

    """

    kind: ClassVar[str] = "rabbitmq"

    def __init__(  # noqa: PLR0913 - the contract's signature
        self,
        job_creator: JobCreator,
        rabbitmq_url: str,
        queue_name: str,
        job_type_mapping: Mapping[str, str],
        *,
        prefetch_count: int = 20,
        declare: bool = True,
        connect_timeout_seconds: float = 15,
        name: str | None = None,
        clock: Clock | None = None,
        store: TriggerStore | None = None,
        inbox: EventInbox | None = None,
    ) -> None:
        super().__init__(job_creator, name=name, clock=clock, store=store, inbox=inbox)
        if find_spec("aio_pika") is None:
            raise MissingExtraError("RabbitMQTrigger", "rabbitmq")
        if not job_type_mapping:
            raise ConfigurationError("job_type_mapping is empty: every message would be filtered")
        for event_type, job_type in job_type_mapping.items():
            require_name(f"job_type_mapping[{event_type!r}]", job_type)
        self._source = RabbitMQSource(
            url=rabbitmq_url,
            queue_name=queue_name,
            prefetch_count=prefetch_count,
            declare=declare,
            connect_timeout_seconds=connect_timeout_seconds,
        )
        self.rabbitmq_url = rabbitmq_url
        self.queue_name = queue_name
        self.job_type_mapping = dict(job_type_mapping)

    @property
    @override
    def summary(self) -> str:
        return f"{self.queue_name} at {self._source.address}  -> {', '.join(sorted(self.job_types))}"

    @property
    @override
    def job_types(self) -> frozenset[str]:
        return frozenset(self.job_type_mapping.values())

    @override
    async def _on_message(self, message: RabbitMQMessage) -> None:
        await self._process(_event(message), self._translate)
        await self._acknowledge(message)

    def _translate(self, event: Event) -> JobRequest:
        data = _decode(event.body or b"")
        job_type = self._job_type(_text("event_type", data.get("event_type")))
        metadata = {} if event.source_id is None else {"idempotency_key": self._key(job_type, event.source_id)}
        return JobRequest(
            job_type=job_type,
            payload=_object(data.get("payload", {})),
            queue_name=_text("queue", data.get("queue", "default")),
            priority=_integer("priority", data.get("priority", 0)),
            metadata=metadata,
        )

    def _job_type(self, event_type: str) -> str:
        job_type = self.job_type_mapping.get(event_type)
        if job_type is None:
            raise FilteredError(f"event_type '{shown(event_type)}' is not in job_type_mapping")
        return job_type

    @override
    async def _acknowledge(self, message: RabbitMQMessage) -> None:
        from aio_pika.exceptions import CONNECTION_EXCEPTIONS

        if self._is_answered(message):
            return
        try:
            answer = message.ack()
            if isawaitable(answer):  # a user's fake may answer at once
                await answer
        except CONNECTION_EXCEPTIONS as error:
            # the broker delivers it again, and its key makes it a duplicate
            logger.warning("message_not_acknowledged", trigger=self._name, error=type(error).__name__)

    @override
    def _is_answered(self, message: RabbitMQMessage) -> bool:
        # `is True`: a mock's attribute is truthy, and a user's fake may have none
        return getattr(message, "processed", False) is True

    @override
    async def _subscribe(self) -> Subscription[RabbitMQMessage]:
        deliveries = Deliveries(self._source)
        try:
            async with asyncio.timeout(self._source.connect_timeout_seconds):
                await deliveries.open()
        except Exception as error:
            await deliveries.close()
            raise explained(error, self._source) from error
        except BaseException:
            await deliveries.close()
            raise
        return deliveries


def _event(message: RabbitMQMessage) -> Event:
    identity = getattr(message, "message_id", None)
    # a producer may send an empty id, and a mock has an attribute that is no text
    source_id = identity if isinstance(identity, str) and identity else None
    # one byte more than is taken, so that a cut body is still too long
    return Event(source_id=source_id, body=message.body[: MAX_BODY_BYTES + 1])


def _decode(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_BODY_BYTES:
        raise ValidationError(f"the message is longer than {MAX_BODY_BYTES} bytes; the inbox has its beginning")
    data = decode_json(body)
    if not isinstance(data, dict):
        raise ValidationError(f"the message must be a JSON object, not {type(data).__name__}")
    return data


def _object(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise ValidationError(f"payload must be an object, not {type(value).__name__}")


def _text(name: str, value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    raise ValidationError(f"{name} must be a text that is not empty")


def _integer(name: str, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValidationError(f"{name} must be an integer, not {type(value).__name__}")
