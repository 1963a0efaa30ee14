"""The Redis queue on a server that dies, forgets, refuses or is set up otherwise."""

import asyncio
import random
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter
from portico.exceptions import ConfigurationError, DatabaseError
from portico.ports.job import Job, JobStatus
from portico.ports.job_limits import ConcurrencyLimit
from portico.ports.job_queue import QueueCapability
from tests.redis_servers import OwnRedis

pytestmark = [pytest.mark.asyncio, pytest.mark.server("redis")]

SECRET = "s3cret-word"


def job() -> Job:
    return Job(id=uuid.uuid4(), queue_name="default", job_type="work", payload={"n": 1})


async def _worker_with(server: OwnRedis, names: str, *rights: str) -> str:
    """Make a user for keys and channels of these names, and return the address that it logs in by."""
    async with Redis.from_url(server.url) as operator:
        await operator.acl_setuser(
            "worker",
            enabled=True,
            passwords=[f"+{SECRET}"],
            keys=[names],
            channels=[names],
            commands=["+@all", *rights],
        )
    return f"redis://worker:{SECRET}@127.0.0.1:{server.port}/0"


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("seed", range(3))
async def test_what_was_returned_survives_a_killed_server_and_work_goes_on_after_it(tmp_path: Path, seed: int) -> None:
    with OwnRedis(tmp_path) as server:
        queue = RedisJobQueueAdapter(server.url)
        await queue.initialize()
        returned: list[uuid.UUID] = []
        is_over = asyncio.Event()

        async def produce(number: int) -> None:
            while not is_over.is_set():
                try:
                    stored = await queue.enqueue_many([job() for _ in range(number)])
                except DatabaseError:
                    await asyncio.sleep(0.01)
                else:
                    returned.extend(each.id for each in stored)

        async with asyncio.TaskGroup() as group:
            for number in (1, 1, 1, 7):
                group.create_task(produce(number))
            await asyncio.sleep(0.1 + seed * 0.07)
            await asyncio.to_thread(server.kill)
            before = len(returned)
            await asyncio.sleep(0.05)
            await asyncio.to_thread(server.start)
            await asyncio.sleep(0.3)
            is_over.set()
        assert 0 < before < len(returned)
        missing = [job_id for job_id in returned if await queue.get_job(job_id) is None]
        assert missing == []
        await queue.close()


class Load:
    """Producers of single jobs and of batches, and workers under a limit, none of whom minds an outage."""

    def __init__(self, queue: RedisJobQueueAdapter) -> None:
        self._queue = queue
        self.batches: list[list[uuid.UUID]] = []
        self.returned: list[list[uuid.UUID]] = []
        self.most_running = 0

    async def produce(self, size: int) -> None:
        while True:
            jobs = [job() for _ in range(size)]
            self.batches.append([each.id for each in jobs])
            with suppress(DatabaseError):
                self.returned.append([each.id for each in await self._queue.enqueue_many(jobs)])
            await asyncio.sleep(0.05)

    async def work(self) -> None:
        while True:
            with suppress(DatabaseError):
                claimed = await self._queue.dequeue_many("default", 50, timeout=0.1)
                stats = await self._queue.get_queue_stats("default")
                self.most_running = max(self.most_running, stats.running_count)
                await self._queue.acknowledge_many([each.id for each in claimed])
            await asyncio.sleep(0.001)

    async def be_done(self, workers: Iterable[asyncio.Task[None]]) -> None:
        while (stats := await self._queue.get_queue_stats("default")).pending_count + stats.running_count:
            for ended in (worker for worker in workers if worker.done()):
                # an outage is a DatabaseError: whatever else ended it is the finding
                ended.result()
            await self._queue.requeue_expired()
            await asyncio.sleep(0.1)

    async def statuses(self, batch: list[uuid.UUID]) -> set[JobStatus | None]:
        found = await asyncio.gather(*map(self._queue.get_job, batch))
        return {None if each is None else each.status for each in found}


@pytest.mark.parametrize("kills", [3, pytest.param(60, marks=pytest.mark.soak)])
async def test_a_server_killed_again_and_again_loses_no_job_and_breaks_no_batch(tmp_path: Path, kills: int) -> None:
    chance = random.Random(kills)
    # synced at once: by the second, a write may wait in memory for a slow disk
    with OwnRedis(tmp_path, "--appendfsync", "always") as server:
        queue = RedisJobQueueAdapter(server.url, lease_seconds=1, limits=[ConcurrencyLimit(60, queue_name="default")])
        await queue.initialize()
        load = Load(queue)
        producers = [asyncio.create_task(load.produce(size)) for size in (1, 600)]
        workers = [asyncio.create_task(load.work()) for _ in range(2)]
        try:
            for _ in range(kills):
                await asyncio.sleep(chance.uniform(0.05, 0.3))
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
            await asyncio.sleep(0.3)
            await _end(producers)
            async with asyncio.timeout(60 + 3 * kills):
                await load.be_done(workers)
        finally:
            await _end([*producers, *workers])
        assert 0 < load.most_running <= 60
        assert load.returned
        for batch in load.returned:
            assert await load.statuses(batch) == {JobStatus.COMPLETED}
        for batch in load.batches:
            assert await load.statuses(batch) in ({None}, {JobStatus.COMPLETED})
        await queue.close()


async def test_a_waiting_claim_outlives_the_server(tmp_path: Path) -> None:
    with OwnRedis(tmp_path) as server:
        queue = RedisJobQueueAdapter(server.url)
        await queue.enqueue(job())
        claimed = await queue.dequeue("default", timeout=0)
        assert claimed is not None
        await queue.wait_for_jobs(["default"], timeout=0.05)
        await asyncio.to_thread(server.kill)
        waiting = asyncio.create_task(queue.wait_for_jobs(["default"], timeout=30))
        await asyncio.to_thread(server.start)
        await asyncio.wait_for(waiting, 5)
        assert await queue.acknowledge(claimed.id)
        later = asyncio.create_task(queue.dequeue("default", timeout=30))
        await asyncio.sleep(0.1)
        new = await queue.enqueue(job())
        got = await asyncio.wait_for(later, 5)
        assert got is not None
        assert got.id == new.id
        await queue.close()


async def test_a_server_that_is_down_is_named_without_the_password(tmp_path: Path) -> None:
    with OwnRedis(tmp_path, password=SECRET) as server:
        queue = RedisJobQueueAdapter(server.url)
        stored = await queue.enqueue(job())
        await asyncio.to_thread(server.kill)
        for call in (queue.enqueue(job()), queue.dequeue("default", timeout=0), queue.acknowledge(stored.id)):
            with pytest.raises(DatabaseError, match=str(server.port)) as caught:
                await call
            assert SECRET not in f"{caught.value} {caught.value.details} {caught.value.__cause__}"
        await queue.close()


@pytest.mark.parametrize(
    ("url", "error", "hint"),
    [
        ("redis://:wrong@127.0.0.1:{port}/0", ConfigurationError, "refuses the user or the password"),
        ("redis://127.0.0.1:{port}/0", ConfigurationError, "password"),
        ("redis://:" + SECRET + "@127.0.0.1:{port}/99", ConfigurationError, "99"),
        ("redis://:" + SECRET + "@127.0.0.1:1/0", DatabaseError, "does not answer"),
    ],
)
async def test_what_cannot_be_opened_says_why(tmp_path: Path, url: str, error: type[Exception], hint: str) -> None:
    with OwnRedis(tmp_path, password=SECRET) as server:
        queue = RedisJobQueueAdapter(url.format(port=server.port))
        started = time.monotonic()
        with pytest.raises(error, match=hint) as caught:
            await queue.initialize()
        assert time.monotonic() - started < 10
        assert "wrong" not in str(caught.value)
        assert SECRET not in str(caught.value)


async def test_a_server_with_its_log_on_is_durable(tmp_path: Path) -> None:
    with OwnRedis(tmp_path) as server, capture_logs() as logs:
        queue = RedisJobQueueAdapter(server.url, require_durable=True)
        assert QueueCapability.DURABLE not in queue.capabilities
        await queue.initialize()
        assert QueueCapability.DURABLE in queue.capabilities
        await queue.close()
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == []


async def test_a_server_without_a_log_is_warned_about_once_or_refused(tmp_path: Path) -> None:
    with OwnRedis(tmp_path, "--appendonly", "no") as server:
        queue = RedisJobQueueAdapter(server.url)
        with capture_logs() as logs:
            await queue.initialize()
            await queue.initialize()
            await queue.enqueue(job())
        warnings = [line for line in logs if line["log_level"] == "warning"]
        assert [line["event"] for line in warnings] == ["redis_is_not_durable"]
        assert "appendonly" in warnings[0]["problem"]
        assert QueueCapability.DURABLE not in queue.capabilities
        await queue.close()
        with pytest.raises(ConfigurationError, match="appendonly"):
            await RedisJobQueueAdapter(server.url, require_durable=True).initialize()


async def test_power_needs_a_log_that_is_synced(tmp_path: Path) -> None:
    with OwnRedis(tmp_path) as server:
        with pytest.raises(ConfigurationError, match="appendfsync"):
            await RedisJobQueueAdapter(server.url, durability="power", require_durable=True).initialize()
        async with Redis.from_url(server.url) as operator:
            await operator.config_set("appendfsync", "always")
        queue = RedisJobQueueAdapter(server.url, durability="power", require_durable=True)
        await queue.initialize()
        assert QueueCapability.DURABLE in queue.capabilities
        await queue.close()


async def test_a_server_that_throws_keys_away_is_refused(tmp_path: Path) -> None:
    with OwnRedis(tmp_path, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as server:
        queue = RedisJobQueueAdapter(server.url)
        with pytest.raises(ConfigurationError, match="maxmemory-policy"):
            await queue.initialize()


@pytest.mark.parametrize(("memory", "policy"), [("100mb", "noeviction"), ("0", "allkeys-lru")])
async def test_a_server_that_never_throws_keys_away_is_taken(tmp_path: Path, memory: str, policy: str) -> None:
    with OwnRedis(tmp_path, "--maxmemory", memory, "--maxmemory-policy", policy) as server:
        queue = RedisJobQueueAdapter(server.url)
        await queue.initialize()
        await queue.close()


async def test_a_server_that_tells_nothing_is_warned_about_once(tmp_path: Path) -> None:
    with OwnRedis(tmp_path) as server:
        url = await _worker_with(server, "*", "-config", "-info")
        queue = RedisJobQueueAdapter(url)
        with capture_logs() as logs:
            await queue.initialize()
        assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["redis_settings_unknown"]
        await queue.enqueue(job())
        await queue.close()
        with pytest.raises(ConfigurationError, match="does not tell"):
            await RedisJobQueueAdapter(url, require_durable=True).initialize()


async def test_a_server_out_of_memory_refuses_new_jobs_and_lets_old_ones_end(tmp_path: Path) -> None:
    with OwnRedis(tmp_path, "--maxmemory", "0") as server:
        queue = RedisJobQueueAdapter(server.url)
        first, _ = await queue.enqueue_many([job(), job()])
        claimed = await queue.dequeue("default", timeout=0)
        assert claimed is not None
        async with Redis.from_url(server.url) as operator:
            await operator.config_set("maxmemory", "1")
            with pytest.raises(DatabaseError, match="out of memory"):
                await queue.enqueue(job())
            assert await queue.acknowledge(first.id)
            second = await queue.dequeue("default", timeout=0)
            assert second is not None
            assert await queue.heartbeat() == frozenset()
            assert await queue.reject(second.id, requeue=False)
            newcomer = RedisJobQueueAdapter(server.url)
            assert (await newcomer.get_queue_stats("default")).completed_count == 1
            await newcomer.close()
            await operator.config_set("maxmemory", "0")
        assert (await queue.enqueue(job())).status is JobStatus.PENDING
        await queue.close()


async def test_functions_that_the_server_forgot_are_loaded_again(tmp_path: Path) -> None:
    with OwnRedis(tmp_path) as server:
        queues = [RedisJobQueueAdapter(server.url) for _ in range(5)]
        for queue in queues:
            await queue.enqueue(job())
        async with Redis.from_url(server.url) as operator:
            await operator.function_flush()
        answers = await asyncio.gather(*(queue.enqueue(job()) for queue in queues * 5))
        assert not any(answer.is_duplicate for answer in answers)
        assert (await queues[0].get_queue_stats("default")).pending_count == 30
        for queue in queues:
            await queue.close()


async def test_the_rights_that_the_page_names_are_enough(tmp_path: Path) -> None:
    with OwnRedis(tmp_path) as server:
        queue = RedisJobQueueAdapter(await _worker_with(server, "{portico}*", "-@admin", "-@dangerous", "+info"))
        waiting = asyncio.create_task(queue.dequeue("default", timeout=5))
        stored = await queue.enqueue(job())
        claimed = await waiting
        assert claimed is not None
        assert claimed.id == stored.id
        assert await queue.acknowledge(claimed.id)
        await queue.close()


async def test_a_newer_schema_is_refused(redis_url: str, redis_prefix: str) -> None:
    async with Redis.from_url(redis_url) as operator:
        await operator.set(f"{{{redis_prefix}}}:schema", "3")
    queue = RedisJobQueueAdapter(redis_url, prefix=redis_prefix)
    with pytest.raises(ConfigurationError, match="schema 3"):
        await queue.initialize()
    await queue.close()


async def test_prefixes_know_nothing_of_each_other(redis_url: str, redis_prefix: str) -> None:
    here = RedisJobQueueAdapter(redis_url, prefix=redis_prefix)
    there = RedisJobQueueAdapter(redis_url, prefix=f"{redis_prefix}-other")
    stored = await here.enqueue(job())
    assert await there.get_job(stored.id) is None
    assert await there.dequeue("default", timeout=0) is None
    await here.close()
    await there.close()
    async with Redis.from_url(redis_url) as operator:
        assert [key async for key in operator.scan_iter(f"*{redis_prefix}-other*")] == [
            f"{{{redis_prefix}-other}}:schema".encode()
        ]
        await operator.delete(f"{{{redis_prefix}-other}}:schema")
