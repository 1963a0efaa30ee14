"""Queues held against a model: where they are kept, and how long it goes on."""

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from typing_extensions import override

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.adapters.job_queue.memory_queue import MemoryJobQueueAdapter
from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter
from portico.ports.job_queue import JobQueueAdapter, QueueCapability
from tests.prefixes import delete_keys
from tests.schemas import drop_schema


@dataclass(frozen=True)
class Place:
    """How a queue is opened on an empty store, and how what is left there is removed."""

    open_queue: Callable[..., JobQueueAdapter]
    clear: Callable[[], object] = lambda: None


class PlacedModel(RuleBasedStateMachine):
    """Gives a model its queues: the first base of a class of which the second is the model."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place

    def make_queue(self, **options: Any) -> JobQueueAdapter:
        """Return a new adapter."""
        self._options = options
        return self._place.open_queue(**options)

    def reopen_queue(self, queue: JobQueueAdapter) -> JobQueueAdapter:
        """Return another adapter on the store, unless only this one has it."""
        return queue if QueueCapability.SHARED not in queue.capabilities else self.make_queue(**self._options)

    @override
    def teardown(self) -> None:
        super().teardown()
        self._place.clear()


def in_memory() -> Place:
    """Return a place in this process."""
    return Place(MemoryJobQueueAdapter)


def on_sqlite() -> Place:
    """Return a place in a new file."""
    folder = tempfile.TemporaryDirectory(prefix="portico-model-")
    url = f"sqlite:///{Path(folder.name)}/jobs.db"
    return Place(lambda **options: DatabaseJobQueueAdapter(url, **options), folder.cleanup)


@pytest.fixture
def on_redis(redis_url: str, redis_prefix: str) -> Callable[[], Place]:
    """Return what makes places under one prefix, one after the other."""
    return lambda: Place(
        lambda **options: RedisJobQueueAdapter(redis_url, prefix=redis_prefix, **options),
        lambda: asyncio.run(delete_keys(redis_url, redis_prefix)),
    )


@pytest.fixture
def on_postgresql(postgres_url: str, postgres_schema: str) -> Callable[[], Place]:
    """Return what makes places in one schema, one after the other."""
    options: dict[str, Any] = {"schema": postgres_schema, "durability": "process", "pool_size": 1}
    return lambda: Place(
        lambda **more: DatabaseJobQueueAdapter(postgres_url, **options, **more),
        lambda: asyncio.run(drop_schema(postgres_url, postgres_schema)),
    )


def run_model(
    model: Callable[[Place], RuleBasedStateMachine], place: Callable[[], Place], *, examples: int, steps: int
) -> None:
    """Hold queues of `place`, a new one for each example, against the model."""
    how = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(lambda: model(place()), settings=how)  # type: ignore[arg-type] # - a function that makes one does as well
