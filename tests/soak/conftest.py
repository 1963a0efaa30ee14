"""The queues of the soak tests, and who works on them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.soak.addresses import Address
from tests.soak.crew import LEASE_SECONDS, Crew

OPTIONS = {"lease_seconds": LEASE_SECONDS, "max_crashes": 100}
STORES = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.server("postgresql")),
    pytest.param("redis", marks=pytest.mark.server("redis")),
]


@pytest.fixture
def sqlite(tmp_path: Path) -> Address:
    return Address(f"sqlite:///{tmp_path}/jobs.db", OPTIONS)


@pytest.fixture
def postgresql(postgres_url: str, postgres_schema: str) -> Address:
    return Address(postgres_url, {**OPTIONS, "schema": postgres_schema})


@pytest.fixture
def redis(redis_url: str, redis_prefix: str) -> Address:
    return Address(redis_url, {**OPTIONS, "prefix": redis_prefix})


@pytest.fixture(params=STORES)
def address(request: pytest.FixtureRequest) -> Any:
    """Return where the queue is."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def crew(address: Address, tmp_path: Path) -> Iterator[Crew]:
    crew = Crew(address, tmp_path)
    yield crew
    crew.kill_all()
