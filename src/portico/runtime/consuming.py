"""The shape of a trigger that is sent messages which it must answer."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Collection
from contextlib import AsyncExitStack
from itertools import count
from typing import ClassVar, Generic, TypeVar

from typing_extensions import override

from portico.exceptions import ConfigurationError, ExternalServiceError
from portico.runtime.backoff import Backoff
from portico.runtime.service import StoppingError, describe
from portico.runtime.trigger import BaseTrigger
from portico.utils.logging import get_logger

logger = get_logger(__name__)

Message = TypeVar("Message")


class Subscription(ABC, Generic[Message]):
    """What one connection to the source delivers; a message stays at the source until it is acknowledged."""

    @abstractmethod
    async def next_message(self) -> Message:
        """Return the next message, waiting for it.

        Raises:
            ExternalServiceError: nothing will come any more: connection, channel or consumer are gone.

        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of the connection; the source delivers again what was not acknowledged."""


class ConsumingTrigger(BaseTrigger, Generic[Message]):
    """Is sent messages, and acknowledges each when its job exists or it will never have one.

    `_on_message` returns: acknowledged (created, duplicate, filtered, rejected and recorded). It raises: the message is
    held and tried again after a growing pause. It is not given back, for a broker may drop a message that came back
    too often, and an outage of the job store must not lose any; what is held fills the source's window of unanswered
    messages, and that is the source's pause.
    """

    _loop: ClassVar[str] = "consume"
    _pause: ClassVar[Backoff] = Backoff(base_seconds=0.5, cap_seconds=30.0, jitter=0.2)

    _subscription: Subscription[Message] | None = None

    @abstractmethod
    async def _subscribe(self) -> Subscription[Message]:
        """Connect, and return what the source delivers.

        Raises:
            ConfigurationError: the source does not exist or is not as configured.
            ExternalServiceError: it does not answer.

        """

    @abstractmethod
    async def _on_message(self, message: Message) -> None:
        """Create the job of one message; to be overridden, an override need not acknowledge."""

    @abstractmethod
    async def _acknowledge(self, message: Message) -> None:
        """Tell the source that the message is done with, unless that was said; a lost connection is no error."""

    @abstractmethod
    def _is_answered(self, message: Message) -> bool:
        """Tell whether the source was given an answer already, by an override for example."""

    @override
    async def _open(self, stack: AsyncExitStack) -> None:
        await super()._open(stack)
        stack.push_async_callback(self._unsubscribe)
        self._subscription = await self._subscribe()
        self._supervise(stack, self._loop, self._consume)

    async def _consume(self) -> None:
        if self._subscription is None:
            self._subscription = await self._subscribe_again()
        answers: set[asyncio.Task[None]] = set()
        try:
            await self._answer_all(self._subscription, answers)
        finally:
            # also those that are creating a job: a lost message comes again whether they finish or not
            await _cancel(answers)
            await self._unsubscribe()

    async def _answer_all(self, subscription: Subscription[Message], answers: set[asyncio.Task[None]]) -> None:
        while True:
            message = await subscription.next_message()
            self._progressed(self._loop)
            answer = asyncio.create_task(self._answer(message), name=f"{self._name}:answer")
            answers.add(answer)
            answer.add_done_callback(answers.discard)

    async def _answer(self, message: Message) -> None:
        for attempt in count(1):
            try:
                with self._work():
                    await self._on_message(message)
                    await self._acknowledge(message)
            except StoppingError:
                return  # not acknowledged: it is delivered again
            except Exception as error:  # noqa: BLE001 - the supervised loop of a message; it is logged
                if self._is_answered(message):
                    self._log_failure(error, None)
                    return
                delay = self._pause.delay_seconds(attempt)
                self._log_failure(error, delay)
                await self._clock.sleep(delay)
            else:
                return

    async def _subscribe_again(self) -> Subscription[Message]:
        try:
            subscription = await self._subscribe()
        except ConfigurationError as error:
            # it was right at start: what was deleted or changed may come back
            raise ExternalServiceError(error.message, details=error.details, cause=error) from error
        if not self.is_running:
            # a cancellation that a library swallowed
            await subscription.close()
            raise StoppingError(f"'{self._name}' is not running")
        self._recovered()
        logger.info("source_reconnected", trigger=self._name)
        return subscription

    async def _unsubscribe(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            await subscription.close()

    def _log_failure(self, error: Exception, retry_in_seconds: float | None) -> None:
        self._failed(error)
        delay = None if retry_in_seconds is None else round(retry_in_seconds, 3)
        logger.error("error_processing_message", trigger=self._name, error=describe(error), retry_in_seconds=delay)


async def _cancel(tasks: Collection[asyncio.Task[None]]) -> None:
    for task in tuple(tasks):
        task.cancel()
    if tasks:
        await asyncio.wait(tuple(tasks))
