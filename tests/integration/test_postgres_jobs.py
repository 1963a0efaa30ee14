"""What PostgreSQL does with jobs beyond the promises of every queue."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.store.postgres.store import PostgresStore
from portico.exceptions import DatabaseError, ValidationError
from portico.ports import job_lifecycle
from portico.ports.job import Job
from portico.ports.retention import Retention
from portico.testing import FakeClock
from tests.schemas import opened

pytestmark = pytest.mark.asyncio

QUEUE = "work"
START = datetime(2030, 1, 1, tzinfo=UTC)


def job(**fields: Any) -> Job:
    known: dict[str, Any] = {"id": uuid.uuid4(), "queue_name": QUEUE, "job_type": "work.do", "payload": {"n": 1}}
    return Job(**{**known, **fields})


Step = Callable[[DatabaseJobQueueAdapter, Job], Awaitable[object]]


async def claim(queue: DatabaseJobQueueAdapter, _: Job) -> None:
    assert await queue.dequeue(QUEUE, timeout=0) is not None


async def expire(queue: DatabaseJobQueueAdapter, _: Job) -> None:
    assert isinstance(queue._clock, FakeClock)
    await queue._clock.advance(61)
    assert await queue.requeue_expired() == 1


@pytest.mark.parametrize("scheduled_at", [None, START - timedelta(seconds=5)])
@pytest.mark.parametrize(
    ("steps", "transitions"),
    [
        ([claim], ["claimed"]),
        ([claim, lambda q, j: q.acknowledge(j.id, {"rows": 3})], ["claimed", "completed"]),
        ([claim, lambda q, j: q.reject(j.id, error_message="broken")], ["claimed", "retried"]),
        ([claim, lambda q, j: q.reject(j.id, requeue=False, error_message="broken")], ["claimed", "failed"]),
        ([claim, lambda q, j: q.release(j.id)], ["claimed", "released"]),
        ([claim, expire], ["claimed", "crashed"]),
        ([claim, expire, claim, expire], ["claimed", "crashed", "claimed", "crashed"]),
        ([lambda q, j: q.cancel_job(j.id)], ["cancelled"]),
        ([lambda q, j: q.cancel_job(j.id), lambda q, j: q.retry_job(j.id)], ["cancelled", "revived"]),
        ([claim, lambda q, j: q.request_abort(j.id), lambda q, j: q.release(j.id)], ["claimed", "aborted"]),
    ],
)
async def test_sql_makes_of_a_job_what_the_rules_of_its_life_cycle_make(
    postgres_url: str, postgres_schema: str, steps: list[Step], transitions: list[str], scheduled_at: datetime | None
) -> None:
    clock = FakeClock(START)
    expected = job(max_retries=1, scheduled_at=scheduled_at)
    async with opened(postgres_url, postgres_schema, clock=clock, max_crashes=1) as queue:
        expected = await queue.enqueue(expected)
        for step in steps:
            await step(queue, expected)
        stored = await queue.get_job(expected.id)
    for transition in transitions:
        expected = _apply(transition, expected)
    assert stored is not None
    assert _without_moments(stored) == _without_moments(expected)


def _without_moments(given: Job) -> tuple[Job, list[bool]]:
    """Return the job without when things happened, and which of them did."""
    has_happened = [moment is not None for moment in (given.started_at, given.completed_at, given.failed_at)]
    return replace(given, started_at=None, completed_at=None, failed_at=None), has_happened


def _apply(transition: str, given: Job) -> Job:
    known: dict[str, Callable[[Job], Job]] = {
        "claimed": lambda each: job_lifecycle.claimed(each, START),
        "completed": lambda each: job_lifecycle.completed(each, START, {"rows": 3}),
        "retried": lambda each: job_lifecycle.rejected(each, START, requeue=True, error_message="broken"),
        "failed": lambda each: job_lifecycle.rejected(each, START, requeue=False, error_message="broken"),
        "released": job_lifecycle.released,
        "crashed": lambda each: job_lifecycle.crashed(each, START, max_crashes=1),
        "cancelled": lambda each: job_lifecycle.cancelled(each, START),
        "revived": job_lifecycle.revived,
        "aborted": lambda each: job_lifecycle.aborted(each, START),
    }
    return known[transition](given)


@pytest.mark.parametrize("size", [1, 100, 1000])
async def test_no_hot_statement_walks_a_table_at_any_size_of_batch(
    postgres_url: str, postgres_schema: str, connection: Any, size: int
) -> None:
    rounds = max(2, 200 // size)
    async with opened(postgres_url, postgres_schema):
        # making an index walks its table
        before = await _walks(connection, postgres_schema)
    async with opened(postgres_url, postgres_schema) as queue:
        for _ in range(rounds):
            await queue.enqueue_many([job(metadata={"idempotency_key": str(uuid.uuid4())}) for _ in range(size)])
            await queue.enqueue_many([job() for _ in range(size)])
        for _ in range(rounds):
            ids = [each.id for each in await queue.dequeue_many(QUEUE, size, timeout=0)]
            await queue.heartbeat()
            assert await queue.acknowledge_many(ids) == [True] * size
            claimed = await queue.dequeue_many(QUEUE, size, timeout=0)
            assert await asyncio.gather(*(queue.reject(each.id, requeue=False) for each in claimed)) == [True] * size
    # its connections are closed: they have told their statistics
    assert await _walks(connection, postgres_schema) == before
    # a join of the answers with all running jobs would read size * size entries
    read = await connection.fetchval(
        "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE schemaname = $1 AND indexrelname = 'live_job_running'",
        postgres_schema,
    )
    assert read <= 20 * size * rounds


async def _walks(connection: Any, schema: str) -> dict[str, int]:
    rows = await connection.fetch("SELECT relname, seq_scan FROM pg_stat_user_tables WHERE schemaname = $1", schema)
    return {relname: walks for relname, walks in rows if relname in ("live_job", "ended_job", "job_key")}


async def test_others_are_rung_for_at_most_every_five_milliseconds(
    postgres_url: str, postgres_schema: str, connection: Any
) -> None:
    heard: list[str] = []
    await connection.add_listener(f"portico_{postgres_schema}", lambda *call: heard.append(call[3]))
    async with opened(postgres_url, postgres_schema) as queue:
        began = asyncio.get_running_loop().time()
        for number in range(200):
            await queue.enqueue(job(queue_name=f"{QUEUE}-{number % 2}"))
        seconds = asyncio.get_running_loop().time() - began
    await asyncio.sleep(0.05)
    rung = [message for message in heard if QUEUE in message]
    assert 1 <= len(rung) <= seconds / 0.005 + 2


async def test_a_burst_of_queues_with_long_names_is_rung_for_all(postgres_url: str, postgres_schema: str) -> None:
    async with (
        opened(postgres_url, postgres_schema) as waiting_queue,
        opened(postgres_url, postgres_schema) as queue,
    ):
        names = [f"{number}-{'q' * 200}" for number in range(60)]
        waiting = asyncio.create_task(waiting_queue.dequeue(names[7], timeout=30))
        await asyncio.sleep(0.1)
        await queue.enqueue_many([job(queue_name=name) for name in names])
        claimed = await asyncio.wait_for(waiting, 5)
        assert claimed is not None


async def test_pruning_goes_on_over_many_small_pieces(postgres_url: str, postgres_schema: str) -> None:
    clock = FakeClock(START)
    retention = Retention(completed=timedelta(hours=1), failed=timedelta(hours=2))
    async with opened(postgres_url, postgres_schema, clock=clock, retention=retention) as queue:
        await queue.enqueue_many([job() for _ in range(2100)])
        failed = await queue.enqueue(job(priority=1))
        await queue.dequeue(QUEUE, timeout=0)
        await queue.reject(failed.id, requeue=False)
        await queue.acknowledge_many([each.id for each in await queue.dequeue_many(QUEUE, 5000, timeout=0)])
        await clock.advance(3600 + 1)
        assert await queue.prune() == 2100
        assert [each.id for each in await queue.list_jobs()] == [failed.id]


async def test_a_busy_queue_is_vacuumed_without_waiting_for_the_servers_own(
    postgres_url: str, postgres_schema: str, connection: Any
) -> None:
    async with opened(postgres_url, postgres_schema, durability="process") as queue:
        for _ in range(11):
            await queue.enqueue_many([job() for _ in range(2000)])
            await queue.acknowledge_many([each.id for each in await queue.dequeue_many(QUEUE, 2000, timeout=0)])
        async with asyncio.timeout(10):
            while not await _vacuums(connection, postgres_schema):
                await asyncio.sleep(0.05)


async def _vacuums(connection: Any, schema: str) -> int:
    count: int = await connection.fetchval(
        "SELECT vacuum_count FROM pg_stat_user_tables WHERE schemaname = $1 AND relname = 'live_job'", schema
    )
    return count


async def test_the_commit_waits_for_the_disk_as_asked_for_and_until_its_end_only(
    postgres_url: str, postgres_schema: str, connection: Any
) -> None:
    async with opened(postgres_url, postgres_schema):
        pass
    ask = f"SELECT {postgres_schema}.commit_durably($1)"
    setting = "SELECT current_setting('synchronous_commit')"
    async with connection.transaction():
        await connection.execute(ask, "off")
        assert await connection.fetchval(setting) == "off"
        await connection.execute(ask, "on")
        assert await connection.fetchval(setting) == "on"
        await connection.execute("SET LOCAL synchronous_commit = remote_apply")
        await connection.execute(ask, "on")
        assert await connection.fetchval(setting) == "remote_apply"
        await connection.execute(ask, "off")
    assert await connection.fetchval(setting) == "on"


async def test_a_name_too_long_for_an_index_is_refused_and_its_neighbours_are_stored(
    postgres_url: str, postgres_schema: str
) -> None:
    # what repeats would be stored compressed
    long_name = "".join(uuid.uuid4().hex for _ in range(200))
    async with opened(postgres_url, postgres_schema) as queue:
        answers = await asyncio.gather(
            *(queue.enqueue(job(queue_name=name)) for name in (QUEUE, long_name, QUEUE)), return_exceptions=True
        )
        assert isinstance(answers[1], ValidationError)
        assert "too long" in str(answers[1])
        assert (await queue.get_queue_stats(QUEUE)).pending_count == 2


async def test_an_error_message_with_a_nul_character_is_kept_readable(postgres_url: str, postgres_schema: str) -> None:
    async with opened(postgres_url, postgres_schema) as queue:
        stored = await queue.enqueue(job())
        await queue.dequeue(QUEUE, timeout=0)
        assert await queue.reject(stored.id, requeue=False, error_message="bad byte \0 here")
        found = await queue.get_job(stored.id)
        assert found is not None
        assert found.error_message == "bad byte \\x00 here"


async def test_batches_that_ask_for_the_same_keys_in_opposite_orders_all_end(
    postgres_url: str, postgres_schema: str
) -> None:
    async with (
        opened(postgres_url, postgres_schema) as one,
        opened(postgres_url, postgres_schema) as two,
    ):
        for round_number in range(10):
            keys = [f"{round_number}-{number}" for number in range(40)]
            batches = (
                each.enqueue_many([job(metadata={kind: key}) for key in order])
                for each, order in ((one, keys), (two, keys[::-1]))
                for kind in ("idempotency_key", "unique_key")
            )
            answers = await asyncio.wait_for(asyncio.gather(*batches), 20)
            assert sum(not each.is_duplicate for batch in answers for each in batch) == 80


async def test_times_are_the_servers_when_no_clock_is_given(postgres_url: str, postgres_schema: str) -> None:
    async with opened(postgres_url, postgres_schema) as queue:
        ahead = timedelta(hours=1)
        queue._clock._ahead -= ahead  # type: ignore[attr-defined] # - as if it were an hour slow
        early = await queue.enqueue(job(scheduled_at=datetime.now(UTC) + timedelta(minutes=30)))
        ready = await queue.enqueue(job())
        claimed = await queue.dequeue(QUEUE, timeout=0)
        assert claimed is not None
        assert claimed.id == ready.id
        assert (await queue.get_queue_stats(QUEUE)).pending_count == 1
        assert await queue.cancel_job(early.id)


@pytest.mark.parametrize("answer", ["reject", "release"])
async def test_a_worker_whose_clock_is_wrong_waits_as_long_as_others(
    postgres_url: str, postgres_schema: str, answer: str
) -> None:
    async with opened(postgres_url, postgres_schema) as queue:
        wrong = FakeClock(datetime.now(UTC) + timedelta(minutes=10))
        queue._clock._machine = wrong  # type: ignore[attr-defined] # - as if the machine's clock were wrong
        await queue.requeue_expired()
        stored = await queue.enqueue(job())
        assert await queue.dequeue(QUEUE, timeout=0) is not None
        later = wrong.now() + timedelta(seconds=0.3)
        if answer == "reject":
            assert await queue.reject(stored.id, retry_at=later)
        else:
            assert await queue.release(stored.id, available_at=later)
        assert await queue.dequeue(QUEUE, timeout=0) is None
        await asyncio.sleep(0.4)
        assert await queue.dequeue(QUEUE, timeout=0) is not None


async def test_a_closed_store_says_so(postgres_url: str, postgres_schema: str) -> None:
    store = PostgresStore(postgres_url, schema=postgres_schema)
    await store.open()
    await store.close()
    with pytest.raises(DatabaseError, match="the store is closed"):
        await store.fetch("now")
