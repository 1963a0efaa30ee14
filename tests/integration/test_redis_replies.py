"""The Redis queue when replies get lost, stay out, or come from another node."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter
from portico.adapters.store.redis.library import function
from portico.adapters.store.redis.store import RedisStore
from portico.adapters.store.redis.wire import Wire
from portico.exceptions import DatabaseError
from portico.ports.job import Job, JobStatus

pytestmark = pytest.mark.asyncio


class LossyWire:
    """A TCP proxy that passes on a request, and hangs up in place of its reply."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 6379)
        self._path = parts.path
        self._losing: bytes | None = None
        self._handlers: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}{self._path}"

    def lose_reply_to(self, operation: str) -> None:
        self._losing = function(operation).encode()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for handler in tuple(self._handlers):
            handler.cancel()
        if self._handlers:
            await asyncio.wait(self._handlers)
        await self._server.wait_closed()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        is_cut = asyncio.Event()
        pumps = [
            asyncio.create_task(self._requests(reader, far_writer, is_cut)),
            asyncio.create_task(self._replies(far_reader, writer, is_cut)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for each in (writer, far_writer):
                each.transport.abort()
                with suppress(OSError):
                    await each.wait_closed()
            self._handlers.discard(task)

    async def _requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_cut: asyncio.Event
    ) -> None:
        while data := await reader.read(1_000_000):
            if self._losing is not None and self._losing in data:
                self._losing = None
                is_cut.set()
            writer.write(data)

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_cut: asyncio.Event) -> None:
        # a reply that was read was sent after the request was done
        while (data := await reader.read(1_000_000)) and not is_cut.is_set():
            writer.write(data)


@pytest_asyncio.fixture
async def wire(redis_url: str) -> AsyncIterator[LossyWire]:
    async with LossyWire(redis_url) as wire:
        yield wire


@pytest_asyncio.fixture
async def queue(wire: LossyWire, redis_prefix: str) -> AsyncIterator[RedisJobQueueAdapter]:
    queue = RedisJobQueueAdapter(wire.url, prefix=redis_prefix)
    await queue.initialize()
    yield queue
    await queue.close()


def job(**metadata: str) -> Job:
    return Job(id=uuid.uuid4(), queue_name="default", job_type="work", payload={}, metadata=dict(metadata))


async def claimed(queue: RedisJobQueueAdapter) -> Job:
    await queue.enqueue(job())
    found = await queue.dequeue("default", timeout=0)
    assert found is not None
    return found


async def test_an_enqueue_whose_reply_is_lost_creates_one_job(wire: LossyWire, queue: RedisJobQueueAdapter) -> None:
    wire.lose_reply_to("job_insert")
    stored = await queue.enqueue(job(idempotency_key="k", unique_key="u"))
    assert not stored.is_duplicate
    assert stored == await queue.get_job(stored.id)
    assert (await queue.get_queue_stats("default")).pending_count == 1


async def test_a_batch_whose_reply_is_lost_creates_each_job_once(wire: LossyWire, queue: RedisJobQueueAdapter) -> None:
    first = await queue.enqueue(job(idempotency_key="a"))
    wire.lose_reply_to("job_insert")
    answers = await queue.enqueue_many([job(), job(idempotency_key="a"), job(idempotency_key="b")])
    assert [answer.is_duplicate for answer in answers] == [False, True, False]
    assert answers[1].id == first.id
    assert (await queue.get_queue_stats("default")).pending_count == 3


async def test_an_acknowledgement_whose_reply_is_lost_counts_once(wire: LossyWire, queue: RedisJobQueueAdapter) -> None:
    running = await claimed(queue)
    wire.lose_reply_to("job_complete")
    assert await queue.acknowledge(running.id, {"n": 1})
    assert not await queue.acknowledge(running.id)
    assert (await queue.get_queue_stats("default")).completed_count == 1


async def test_a_rejection_whose_reply_is_lost_burns_one_retry(wire: LossyWire, queue: RedisJobQueueAdapter) -> None:
    running = await claimed(queue)
    wire.lose_reply_to("job_reject")
    assert await queue.reject(running.id, error_message="broken")
    found = await queue.get_job(running.id)
    assert found is not None
    assert (found.status, found.retry_count, found.error_message) == (JobStatus.RETRYING, 1, "broken")
    assert (await queue.get_queue_stats("default")).pending_count == 1


async def test_a_release_whose_reply_is_lost_happens_once(wire: LossyWire, queue: RedisJobQueueAdapter) -> None:
    running = await claimed(queue)
    wire.lose_reply_to("job_release")
    assert await queue.release(running.id)
    assert (await queue.get_queue_stats("default")).pending_count == 1


async def test_jobs_of_a_claim_whose_reply_is_lost_are_claimed_by_the_next(
    wire: LossyWire, queue: RedisJobQueueAdapter
) -> None:
    stored = await queue.enqueue_many([job(), job()])
    wire.lose_reply_to("job_claim")
    with pytest.raises(DatabaseError, match="lost"):
        await queue.dequeue_many("default", 2, timeout=0)
    again = await queue.dequeue_many("default", 2, timeout=0)
    assert [(each.id, each.retry_count, each.crash_count) for each in again] == [(each.id, 0, 0) for each in stored]


async def test_jobs_of_a_claim_whose_reply_is_lost_are_back_after_close(
    wire: LossyWire, queue: RedisJobQueueAdapter
) -> None:
    await queue.enqueue(job())
    wire.lose_reply_to("job_claim")
    with pytest.raises(DatabaseError):
        await queue.dequeue("default", timeout=0)
    await queue.close()
    assert (await queue.get_queue_stats("default")).pending_count == 1


async def test_what_cannot_be_repeated_says_that_its_reply_is_lost(
    wire: LossyWire, queue: RedisJobQueueAdapter
) -> None:
    waiting = await queue.enqueue(job())
    wire.lose_reply_to("job_cancel")
    with pytest.raises(DatabaseError, match="lost before it answered"):
        await queue.cancel_job(waiting.id)
    found = await queue.get_job(waiting.id)
    assert found is not None
    assert found.status is JobStatus.FAILED


async def test_a_server_that_gives_no_reply_is_given_up() -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    wire = Wire(writer, timeout_seconds=0.05)
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(wire.call("PING"), 5)
    assert wire.is_lost
    with pytest.raises(ConnectionResetError):
        await wire.call("PING")
    server.close()
    await server.wait_closed()


async def test_an_answer_that_is_no_redis_ends_the_connection() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    wire = Wire(writer, timeout_seconds=5)
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(wire.call("PING"), 5)
    server.close()
    await server.wait_closed()


async def test_what_is_published_is_no_reply() -> None:
    async def publish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"PING")
        writer.write(b"*3\r\n$7\r\nmessage\r\n$4\r\nbell\r\n$5\r\nqueue\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(publish, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    heard: list[bytes] = []
    wire = Wire(writer, timeout_seconds=5, on_message=heard.append)
    assert await asyncio.wait_for(wire.call("PING"), 5) == [b"pong", b""]
    assert heard == [b"queue"]
    await wire.close()
    server.close()
    await server.wait_closed()


async def test_a_call_that_waits_for_a_connection_hears_of_the_close(redis_prefix: str) -> None:
    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = RedisStore(f"redis://127.0.0.1:{port}/0", prefix=redis_prefix)
    opening = asyncio.create_task(store.open(store))
    await asyncio.sleep(0.05)
    asking = asyncio.create_task(store.command("PING"))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    with pytest.raises(DatabaseError, match="closed"):
        await asyncio.wait_for(asking, 5)
    server.close()
    await server.wait_closed()


async def test_replies_reach_their_callers_in_order_also_when_one_of_them_left(
    redis_url: str, redis_prefix: str
) -> None:
    queue = RedisJobQueueAdapter(redis_url, prefix=redis_prefix)
    await queue.initialize()
    names = [f"{{{redis_prefix}}}:{number}" for number in range(20)]
    calls = [asyncio.ensure_future(queue.store.command("ECHO", name)) for name in names]
    await asyncio.sleep(0)
    calls[3].cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [answer for answer in answers if isinstance(answer, bytes)] == [
        name.encode() for number, name in enumerate(names) if number != 3
    ]
    await queue.close()


@pytest.mark.parametrize("script", ["batch_stage", "batch_apply"])
async def test_a_large_batch_whose_reply_is_lost_creates_each_job_once(
    wire: LossyWire, queue: RedisJobQueueAdapter, script: str
) -> None:
    first = await queue.enqueue(job(idempotency_key="a"))
    wire.lose_reply_to(script)
    answers = await queue.enqueue_many([*(job() for _ in range(400)), job(idempotency_key="a")])
    assert [answer.is_duplicate for answer in answers] == [False] * 400 + [True]
    assert answers[-1].id == first.id
    assert (await queue.get_queue_stats("default")).pending_count == 401
