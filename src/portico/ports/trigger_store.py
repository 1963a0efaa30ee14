"""What triggers must remember between runs: cursors, seen files, pauses, leases."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class StoredValue:
    """A JSON value, and the version that a change of it must name; versions of one key only grow."""

    value: Any
    version: int


class TriggerStore(ABC):
    """Small JSON values by trigger name and key, shared by every replica on the same store.

    Errors are `DatabaseError`; then nothing was changed.
    """

    @abstractmethod
    async def initialize(self) -> None:
        """Open the store; a second call does nothing."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of it; a second call does nothing."""

    @abstractmethod
    async def now(self) -> datetime:
        """Return the store's time, aware and in UTC."""

    @abstractmethod
    async def get(self, trigger: str, key: str) -> StoredValue | None:
        """Return the value, or None."""

    @abstractmethod
    async def entries(self, trigger: str) -> Mapping[str, StoredValue]:
        """Return all values of a trigger by key."""

    @abstractmethod
    async def compare_and_set(self, trigger: str, key: str, value: Any, *, expected_version: int) -> int | None:
        """Store `value` if the key still has `expected_version` (0: it does not exist), and return the new version.

        None means that somebody else changed it: read again, decide again.
        """

    @abstractmethod
    async def put_many(self, trigger: str, values: Mapping[str, Any]) -> None:
        """Store all values in one go, whatever was there; for keys that only one holder of a lease writes."""

    @abstractmethod
    async def delete_many(self, trigger: str, keys: frozenset[str]) -> None:
        """Forget the keys; unknown ones are ignored."""

    @abstractmethod
    async def acquire_lease(self, trigger: str, key: str, holder: str, seconds: float) -> bool:
        """Take or extend the lease on `key` until the store's now + `seconds`; False while another holder has it."""

    @abstractmethod
    async def release_lease(self, trigger: str, key: str, holder: str) -> None:
        """Give the lease back if `holder` still has it."""
