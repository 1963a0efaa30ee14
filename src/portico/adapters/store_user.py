"""One part's share in a store that several parts use."""

from typing import Generic, Protocol, TypeVar

from portico.runtime.loop_lock import LoopLock


class SharedStore(Protocol):
    """A store that is open as long as anybody uses it."""

    async def open(self) -> None:
        """Open the store, or join those who have it open."""

    async def close(self) -> None:
        """Leave; the last one closes the store."""


Store = TypeVar("Store", bound=SharedStore)


class StoreUser(Generic[Store]):
    """Opens the store once, however often it is asked to, and leaves it once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._is_open = False
        self._opening = LoopLock()

    async def open(self) -> Store:
        """Return the open store."""
        if self._is_open:
            return self._store
        async with self._opening:
            if not self._is_open:
                await self._store.open()
                self._is_open = True
        return self._store

    async def close(self) -> None:
        """Leave the store; the next `open` joins again."""
        async with self._opening:
            if self._is_open:
                self._is_open = False
                await self._store.close()
