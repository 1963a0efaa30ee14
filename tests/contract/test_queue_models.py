"""The queues on each store do what the one in memory does, whatever happens in between."""

from collections.abc import Callable

import pytest

from portico.testing.contracts import QueueModel
from tests.models import Place, PlacedModel, on_sqlite, run_model


class Model(PlacedModel, QueueModel):
    """Answers of a queue beside those of one in memory."""


def test_the_sqlite_queue_answers_as_the_one_in_memory() -> None:
    run_model(Model, on_sqlite, examples=20, steps=30)


def test_the_redis_queue_answers_as_the_one_in_memory(on_redis: Callable[[], Place]) -> None:
    run_model(Model, on_redis, examples=40, steps=30)


def test_the_postgresql_queue_answers_as_the_one_in_memory(on_postgresql: Callable[[], Place]) -> None:
    run_model(Model, on_postgresql, examples=16, steps=25)


@pytest.mark.soak
def test_the_sqlite_queue_answers_as_the_one_in_memory_at_length() -> None:
    run_model(Model, on_sqlite, examples=500, steps=60)


@pytest.mark.soak
@pytest.mark.parametrize(("store", "examples"), [("on_redis", 300), ("on_postgresql", 200)])
def test_a_queue_on_a_server_answers_as_the_one_in_memory_at_length(
    store: str, examples: int, request: pytest.FixtureRequest
) -> None:
    run_model(Model, request.getfixturevalue(store), examples=examples, steps=60)
