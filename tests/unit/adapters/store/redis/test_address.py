"""Which URLs are taken, and what is shown of them."""

import sys
from typing import Any

import pytest

from portico.adapters.job_queue.redis_queue import RedisJobQueueAdapter
from portico.adapters.store.redis.address import RedisAddress
from portico.exceptions import ConfigurationError, MissingExtraError

SECRET = "s3cret-word"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://", "localhost:6379, database 0"),
        ("redis://cache.example:7000/3", "cache.example:7000, database 3"),
        (f"redis://user:{SECRET}@cache.example", "cache.example:6379, database 0"),
        (f"rediss://:{SECRET}@cache.example/1", "cache.example:6379, database 1"),
        (f"redis://cache.example?password={SECRET}&db=2", "cache.example:6379, database 2"),
        ("unix:///run/redis.sock?db=4", "/run/redis.sock, database 4"),
    ],
)
def test_a_place_is_named_without_its_password(url: str, place: str) -> None:
    assert RedisAddress(url).place == place


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        f"postgresql://user:{SECRET}@host/db",
        f"redis://:{SECRET}@host:port/0",
        f"redis://:{SECRET}@host/jobs",
        f"redis://:{SECRET}@host?socket_timeout={SECRET}",
        f"redis://:{SECRET}@host?colour={SECRET}",
        f"redis://:{SECRET}@host?db=first",
    ],
)
def test_other_urls_are_refused_without_showing_them(url: str) -> None:
    with pytest.raises(ConfigurationError, match="redis://") as caught:
        RedisAddress(url)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.details)


def test_a_connection_that_moves_names_where_it_is() -> None:
    address = RedisAddress("redis://first.example/0")
    address.move_to(("second.example", 7001))
    assert address.place == "second.example:7001, database 0"


@pytest.mark.parametrize("package", ["redis", "hiredis"])
def test_without_its_extra_the_queue_says_what_to_install(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"portico-jobs\[redis\]"):
        RedisJobQueueAdapter("redis://127.0.0.1/0")


@pytest.mark.parametrize("prefix", ["", "{a}", "a}b"])
def test_a_prefix_that_would_break_the_hash_tag_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="prefix"):
        RedisJobQueueAdapter("redis://127.0.0.1/0", prefix=prefix)


def test_an_unknown_durability_is_refused() -> None:
    durability: Any = "some"
    with pytest.raises(ConfigurationError, match="durability"):
        RedisJobQueueAdapter("redis://127.0.0.1/0", durability=durability)
