import asyncio
from datetime import UTC, datetime

import pytest
from typing_extensions import override

from portico.exceptions import ConfigurationError, DatabaseError, ExternalServiceError
from portico.ports.job_creator import JobRequest
from portico.ports.job_trigger import TriggerState
from portico.runtime.consuming import ConsumingTrigger, Subscription
from portico.runtime.events import Event
from portico.testing import FakeClock, RecordingJobCreator

pytestmark = pytest.mark.asyncio


class Source(Subscription[str]):
    """Delivers what stands in `waiting`, and forgets what is acknowledged."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[str | None] = asyncio.Queue()
        self.acknowledged: list[str] = []
        self.subscriptions = 0
        self.closings = 0
        self.refusals: list[Exception] = []

    @override
    async def next_message(self) -> str:
        message = await self.waiting.get()
        if message is None:
            raise ExternalServiceError("the source is gone")
        return message

    @override
    async def close(self) -> None:
        self.closings += 1

    def break_off(self) -> None:
        self.waiting.put_nowait(None)


class Consumer(ConsumingTrigger[str]):
    kind = "consumer"

    def __init__(self, creator: RecordingJobCreator, source: Source, clock: FakeClock) -> None:
        super().__init__(creator, clock=clock)
        self._source = source

    @override
    async def _subscribe(self) -> Subscription[str]:
        if self._source.refusals:
            raise self._source.refusals.pop(0)
        self._source.subscriptions += 1
        return self._source

    @override
    async def _on_message(self, message: str) -> None:
        await self._process(Event(), lambda _: JobRequest(job_type=message, payload={}))

    @override
    async def _acknowledge(self, message: str) -> None:
        self._source.acknowledged.append(message)

    @override
    def _is_answered(self, message: str) -> bool:
        return message in self._source.acknowledged


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2030, 1, 1, tzinfo=UTC))


@pytest.fixture
def creator(clock: FakeClock) -> RecordingJobCreator:
    return RecordingJobCreator(clock)


async def test_a_message_is_acknowledged_when_its_job_exists(clock: FakeClock, creator: RecordingJobCreator) -> None:
    source = Source()
    trigger = Consumer(creator, source, clock)
    await trigger.start()
    source.waiting.put_nowait("one")
    await clock.settle()
    await trigger.stop()

    assert [job.job_type for job in creator.jobs] == source.acknowledged == ["one"]


async def test_a_message_is_held_for_growing_pauses_until_its_job_exists(
    clock: FakeClock, creator: RecordingJobCreator
) -> None:
    source = Source()
    creator.fail_next(DatabaseError("the store is down"), times=3)
    trigger = Consumer(creator, source, clock)
    await trigger.start()
    source.waiting.put_nowait("one")
    failures = []
    for _ in range(8):
        await clock.advance(0.5)
        failures.append(trigger.get_health().errors_count)
    await trigger.stop()

    assert source.acknowledged == ["one"]
    assert failures == sorted(failures)
    # pauses of about 0.5, 1 and 2 seconds, a fifth of each left to chance
    assert failures[1] == 2
    assert failures[-1] == 3


async def test_a_message_that_fails_does_not_hold_up_others(clock: FakeClock, creator: RecordingJobCreator) -> None:
    source = Source()
    creator.fail_next(DatabaseError("the store is down"))
    trigger = Consumer(creator, source, clock)
    await trigger.start()
    source.waiting.put_nowait("one")
    source.waiting.put_nowait("two")
    await clock.settle()
    assert source.acknowledged == ["two"]
    await trigger.stop()


async def test_what_was_not_acknowledged_when_it_stops_makes_no_job_later(
    clock: FakeClock, creator: RecordingJobCreator
) -> None:
    source = Source()
    creator.fail_next(DatabaseError("the store is down"))
    trigger = Consumer(creator, source, clock)
    await trigger.start()
    source.waiting.put_nowait("one")
    await clock.settle()
    await trigger.stop()
    await clock.advance(60)

    assert creator.jobs == []
    assert source.acknowledged == []
    assert source.closings == 1


async def test_a_lost_source_is_subscribed_to_again(clock: FakeClock, creator: RecordingJobCreator) -> None:
    source = Source()
    trigger = Consumer(creator, source, clock)
    await trigger.start()
    source.break_off()
    await clock.settle()
    assert trigger.get_health().state is TriggerState.BACKOFF
    assert trigger.is_running
    await clock.advance(1)
    assert trigger.get_health().state is TriggerState.RUNNING
    source.waiting.put_nowait("one")
    await clock.settle()
    await trigger.stop()

    assert source.acknowledged == ["one"]
    assert source.subscriptions == source.closings == 2


async def test_a_source_that_is_gone_after_the_start_is_waited_for(
    clock: FakeClock, creator: RecordingJobCreator
) -> None:
    source = Source()
    trigger = Consumer(creator, source, clock)
    await trigger.start()
    source.refusals = [ConfigurationError("no such queue"), ExternalServiceError("no answer")]
    source.break_off()
    await clock.advance(10)

    assert trigger.get_health().state is TriggerState.RUNNING
    assert trigger.get_health().errors_count == 3
    await trigger.stop()


async def test_a_source_that_breaks_off_again_and_again_is_left_alone_for_longer_and_longer(
    clock: FakeClock, creator: RecordingJobCreator
) -> None:
    source = Source()
    for _ in range(1_000):
        source.break_off()
    trigger = Consumer(creator, source, clock)
    await trigger.start()
    await clock.advance(120)

    # about 0.5, 1, 2, ... 30 seconds apart
    assert 7 <= source.subscriptions <= 13
    await trigger.stop()


@pytest.mark.parametrize("sign_of_life", ["a message", "a minute"])
async def test_a_source_that_was_well_again_is_subscribed_to_soon_after_the_next_break(
    clock: FakeClock, creator: RecordingJobCreator, sign_of_life: str
) -> None:
    source = Source()
    for _ in range(5):
        source.break_off()
    trigger = Consumer(creator, source, clock)
    await trigger.start()
    await clock.advance(20)
    assert source.subscriptions == 6
    if sign_of_life == "a message":
        source.waiting.put_nowait("one")
        await clock.settle()
    else:
        await clock.advance(60)
    source.break_off()
    await clock.advance(1)

    assert source.subscriptions == 7
    await trigger.stop()


async def test_a_source_that_does_not_exist_at_start_is_an_error(
    clock: FakeClock, creator: RecordingJobCreator
) -> None:
    source = Source()
    source.refusals = [ConfigurationError("no such queue")]
    trigger = Consumer(creator, source, clock)

    with pytest.raises(ConfigurationError, match="no such queue"):
        await trigger.start()

    assert not trigger.is_running
