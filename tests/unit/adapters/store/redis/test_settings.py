"""What a server's own words say about the safety of jobs on it."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from portico.adapters.store.redis.settings import ServerSettings
from portico.exceptions import ConfigurationError, DatabaseError

PLACE = "cache.example:6379, database 0"


async def read(info: str, appendfsync: str | None = "everysec") -> ServerSettings:
    async def command(*words: Any) -> Any:
        if words[0] == "INFO":
            return info.encode()
        if appendfsync is None:
            raise DatabaseError("unknown command 'CONFIG'")
        return [b"appendfsync", appendfsync.encode()]

    return await ServerSettings.read(command, PLACE)


def told(version: str = "7.2.4", log: str = "1", memory: str = "0", policy: str = "noeviction") -> str:
    fields = {"redis_version": version, "aof_enabled": log, "maxmemory": memory, "maxmemory_policy": policy}
    return "# Server\r\n" + "".join(f"{name}:{value}\r\n" for name, value in fields.items())


def warnings(settings: ServerSettings, durability: str = "process") -> list[str]:
    with capture_logs() as logs:
        settings.check(durability, require_durable=False)
    return [line["event"] for line in logs]


@pytest.mark.asyncio
async def test_a_log_of_writes_is_enough_for_a_process_and_a_synced_one_for_the_power() -> None:
    settings = await read(told())
    assert (settings.keeps("process"), settings.keeps("power")) == (True, False)
    assert warnings(settings) == []
    assert warnings(settings, "power") == ["redis_is_not_durable"]
    synced = await read(told(), "always")
    assert synced.keeps("power")
    assert warnings(synced, "power") == []


@pytest.mark.asyncio
async def test_a_managed_server_without_config_tells_enough_for_a_process() -> None:
    settings = await read(told(), None)
    assert settings.keeps("process")
    assert warnings(settings) == []
    assert warnings(settings, "power") == ["redis_settings_unknown"]


@pytest.mark.asyncio
async def test_what_a_server_does_not_tell_is_not_relied_upon() -> None:
    settings = await read("", None)
    assert not settings.keeps("process")
    assert warnings(settings) == ["redis_settings_unknown"]
    with pytest.raises(ConfigurationError, match="does not tell"):
        settings.check("process", require_durable=True)


@pytest.mark.asyncio
async def test_an_old_server_is_refused() -> None:
    settings = await read(told(version="6.2.14"))
    with pytest.raises(ConfigurationError, match=r"6\.2\.14 is too old"):
        settings.check("process", require_durable=False)


@pytest.mark.asyncio
async def test_eviction_matters_only_where_memory_is_limited() -> None:
    limited = await read(told(memory="1000", policy="volatile-lru"))
    with pytest.raises(ConfigurationError, match="noeviction"):
        limited.check("process", require_durable=False)
    assert warnings(await read(told(policy="volatile-lru"))) == []
