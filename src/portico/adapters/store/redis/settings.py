"""What a server says of itself that decides whether jobs are safe on it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self

from portico.exceptions import ConfigurationError, PorticoError
from portico.utils.logging import get_logger

_OLDEST_MAJOR_VERSION = 7

logger = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """None is what the server does not tell."""

    place: str
    version: str | None = None
    has_log: bool | None = None
    """Whether every write is logged (AOF)."""
    log_is_synced: bool | None = None
    """Whether the log is on the disk before a write is answered."""
    evicts: bool | None = None
    """Whether keys are thrown away when memory runs out."""

    @classmethod
    async def read(cls, command: Callable[..., Awaitable[Any]], place: str) -> Self:
        """Ask the server."""
        told: dict[str, str] = {}
        try:
            told = _fields((await command("INFO", "server", "persistence", "memory")).decode())
            log, value = await command("CONFIG", "GET", "appendfsync")
            told[log.decode()] = value.decode()
        except (PorticoError, ValueError) as error:
            # managed servers forbid CONFIG, some INFO
            logger.debug("redis_setting_untold", server=place, error=str(error))
        policy = told.get("maxmemory_policy")
        return cls(
            place=place,
            version=told.get("redis_version"),
            has_log=_equals(told.get("aof_enabled"), "1"),
            log_is_synced=_equals(told.get("appendfsync"), "always"),
            evicts=None if policy is None else policy != "noeviction" and told.get("maxmemory") != "0",
        )

    def keeps(self, durability: str) -> bool:
        """Tell whether a write that was answered is known to survive as asked."""
        return self.has_log is True and (durability == "process" or self.log_is_synced is True)

    def check(self, durability: str, *, require_durable: bool) -> None:
        """Refuse a server that loses jobs by its settings, or warn where that is all that was asked for.

        Raises:
            ConfigurationError: the setting and the way out are named.

        """
        if self.version is not None and int(self.version.partition(".")[0]) < _OLDEST_MAJOR_VERSION:
            raise self._refusal(f"version {self.version} is too old: Portico needs Redis or Valkey 7.0 or newer")
        if self.evicts:
            raise self._refusal(
                "it throws keys away when memory runs out: set maxmemory-policy to noeviction, or maxmemory to 0"
            )
        if self.keeps(durability):
            return
        if self.has_log is None or self.evicts is None or (self.has_log and self.log_is_synced is None):
            event, problem = "redis_settings_unknown", "it does not tell whether it logs writes (INFO, CONFIG GET)"
        elif self.has_log:
            event, problem = "redis_is_not_durable", "its log is synced too late: set appendfsync to always"
        else:
            event, problem = "redis_is_not_durable", "it keeps no log of writes: set appendonly to yes"
        if require_durable:
            raise self._refusal(problem)
        logger.warning(event, server=self.place, problem=problem, durability=durability)

    def _refusal(self, problem: str) -> ConfigurationError:
        return ConfigurationError(f"Redis at {self.place}: {problem}", details={"server": self.place})


def _fields(text: str) -> dict[str, str]:
    lines = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name: value for name, _, value in lines}


def _equals(told: str | None, wanted: str) -> bool | None:
    return None if told is None else told == wanted
