"""Queues with limits do what limits mean, whatever happens in between."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter
from portico.ports.job_queue import JobQueueAdapter, QueueCapability
from portico.testing.contracts import LimitedQueueModel
from tests.contract.test_postgres_model import drop
from tests.contract.test_redis_model import forget
from tests.models import run_model


class Model(LimitedQueueModel):
    """A model of queues that `open_queue` makes; what is left of one is removed by `clear`."""

    def __init__(self, open_queue: Callable[..., JobQueueAdapter], clear: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self._open_queue = open_queue
        self._clear = clear

    @override
    def make_queue(self, **options: Any) -> JobQueueAdapter:
        self._options = options
        return self._open_queue(**options)

    @override
    def reopen_queue(self, queue: JobQueueAdapter) -> JobQueueAdapter:
        return queue if QueueCapability.SHARED not in queue.capabilities else self._open_queue(**self._options)

    @override
    def teardown(self) -> None:
        super().teardown()
        self._clear()


def on_sqlite() -> Model:
    folder = tempfile.TemporaryDirectory(prefix="portico-model-")
    url = f"sqlite:///{Path(folder.name)}/jobs.db"
    return Model(lambda **options: DatabaseJobQueueAdapter(url, **options), folder.cleanup)


@pytest.fixture
def on_redis(redis_url: str, redis_prefix: str) -> Callable[[], Model]:
    return lambda: Model(
        lambda **options: RedisJobQueueAdapter(redis_url, prefix=redis_prefix, **options),
        lambda: asyncio.run(forget(redis_url, redis_prefix)),
    )


@pytest.fixture
def on_postgresql(postgres_url: str, postgres_schema: str) -> Callable[[], Model]:
    return lambda: Model(
        lambda **options: DatabaseJobQueueAdapter(
            postgres_url, schema=postgres_schema, durability="process", pool_size=1, **options
        ),
        lambda: asyncio.run(drop(postgres_url, postgres_schema)),
    )


def test_limits_in_memory() -> None:
    run_model(lambda: Model(MemoryJobQueueAdapter), examples=100, steps=40)


def test_limits_on_sqlite() -> None:
    run_model(on_sqlite, examples=20, steps=40)


def test_limits_on_redis(on_redis: Callable[[], Model]) -> None:
    run_model(on_redis, examples=20, steps=40)


def test_limits_on_postgresql(on_postgresql: Callable[[], Model]) -> None:
    run_model(on_postgresql, examples=12, steps=30)


@pytest.mark.soak
@pytest.mark.parametrize("store", ["on_redis", "on_postgresql"])
def test_limits_on_a_server_at_length(store: str, request: pytest.FixtureRequest) -> None:
    run_model(request.getfixturevalue(store), examples=300, steps=60)


@pytest.mark.soak
def test_limits_here_at_length() -> None:
    run_model(lambda: Model(MemoryJobQueueAdapter), examples=1_000, steps=80)
    run_model(on_sqlite, examples=400, steps=60)
