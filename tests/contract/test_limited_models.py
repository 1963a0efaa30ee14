"""Queues with limits do what limits mean, whatever happens in between."""

from collections.abc import Callable

import pytest

from portico.testing.contracts import LimitedQueueModel
from tests.models import Place, PlacedModel, in_memory, on_sqlite, run_model


class Model(PlacedModel, LimitedQueueModel):
    """What runs in a queue beside what its limits allow."""


def test_limits_in_memory() -> None:
    run_model(Model, in_memory, examples=100, steps=40)


def test_limits_on_sqlite() -> None:
    run_model(Model, on_sqlite, examples=20, steps=40)


def test_limits_on_redis(on_redis: Callable[[], Place]) -> None:
    run_model(Model, on_redis, examples=20, steps=40)


def test_limits_on_postgresql(on_postgresql: Callable[[], Place]) -> None:
    run_model(Model, on_postgresql, examples=12, steps=30)


@pytest.mark.soak
@pytest.mark.parametrize("store", ["on_redis", "on_postgresql"])
def test_limits_on_a_server_at_length(store: str, request: pytest.FixtureRequest) -> None:
    run_model(Model, request.getfixturevalue(store), examples=300, steps=60)


@pytest.mark.soak
def test_limits_here_at_length() -> None:
    run_model(Model, in_memory, examples=1_000, steps=80)
    run_model(Model, on_sqlite, examples=400, steps=60)
