"""One part's share in a store that several parts use."""

from portico.adapters.store.postgres.store import PostgresStore
from portico.runtime.loop_lock import LoopLock


class StoreUser:
    """Opens the store once, however often it is asked to, and leaves it once."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self._is_open = False
        self._opening = LoopLock()

    async def open(self) -> PostgresStore:
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
