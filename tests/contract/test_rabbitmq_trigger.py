from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
from typing_extensions import override

from portico.adapters.job_trigger.rabbitmq_trigger import RabbitMQTrigger
from portico.ports.job_creator import JobCreator
from portico.ports.job_trigger import JobTrigger
from portico.testing.contracts.job_trigger import JobTriggerContract
from tests.brokers import Broker
from tests.servers import SERVERS


@pytest.mark.server("rabbitmq")
class TestRabbitMQTrigger(JobTriggerContract):
    @pytest_asyncio.fixture(autouse=True)
    async def broker(self) -> AsyncIterator[None]:
        async with Broker(SERVERS["rabbitmq"].url) as self._broker:
            yield

    @override
    def make_trigger(self, job_creator: JobCreator) -> RabbitMQTrigger:
        return RabbitMQTrigger(
            job_creator, SERVERS["rabbitmq"].url, self._broker.new_queue(), {"user.created": "email.welcome"}
        )

    @override
    async def emit(self, trigger: JobTrigger) -> None:
        self._message_id = str(uuid4())
        await self.emit_again(trigger)

    @override
    async def emit_again(self, trigger: JobTrigger) -> None:
        assert isinstance(trigger, RabbitMQTrigger)
        await self._broker.publish(
            trigger.queue_name, {"event_type": "user.created", "payload": {}}, message_id=self._message_id
        )
