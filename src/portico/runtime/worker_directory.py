"""Which queues live workers serve, in this process and in others on the same store."""

from collections.abc import Iterable
from contextlib import AsyncExitStack
from uuid import uuid4

from typing_extensions import override

from portico.exceptions import PorticoError
from portico.ports.clock import Clock
from portico.ports.trigger_store import TriggerStore
from portico.runtime.service import Service, describe
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_SECTION = "portico:workers"
_ANNOUNCE_SECONDS = 10.0
_ALIVE_SECONDS = 35.0
_MAX_WARNED = 1_000


class WorkerDirectory(Service):
    """Announces what this process serves, and warns once about each queue that nobody does."""

    def __init__(self, store: TriggerStore, *, clock: Clock | None = None) -> None:
        super().__init__(name="worker_directory", clock=clock)
        self._store = store
        self._served: frozenset[str] = frozenset()
        self._checked: set[str] = set()
        self._worker_id = uuid4().hex

    def serve(self, queue_names: Iterable[str]) -> None:
        """Set what the workers of this process serve; announced while this runs."""
        self._served = frozenset(queue_names)

    async def check(self, queue_name: str) -> None:
        """Warn, once per queue, when no live worker serves it; a store that fails only postpones that."""
        if queue_name in self._served or queue_name in self._checked or len(self._checked) >= _MAX_WARNED:
            return
        # before looking: many first jobs at once are one warning
        self._checked.add(queue_name)
        try:
            served = await self._served_by_others()
        except PorticoError as error:
            self._checked.discard(queue_name)
            logger.debug("worker_directory_unreadable", error=describe(error))
            return
        if queue_name not in served:
            is_worked = bool(served or self._served)
            way_out = "compose.jobs(..., queues=[...])" if is_worked else "none is running, see portico worker"
            logger.warning(
                "queue_without_worker",
                queue=queue_name,
                hint=f"jobs wait in '{queue_name}' until a worker serves it: {way_out}",
            )

    @override
    async def _open(self, stack: AsyncExitStack) -> None:
        if not self._served:
            return
        # last in, first out: the loop has ended when the entry goes
        stack.push_async_callback(self._withdraw)
        await self._announce()
        self._supervise(stack, "announce", self._announce_forever)

    async def _announce_forever(self) -> None:
        while True:
            await self._clock.sleep(_ANNOUNCE_SECONDS)
            await self._announce()
            self._progressed("announce")

    async def _announce(self) -> None:
        alive_until = (await self._store.now()).timestamp() + _ALIVE_SECONDS
        entry = {"queues": sorted(self._served), "alive_until": alive_until}
        await self._store.put_many(_SECTION, {self._worker_id: entry})

    async def _withdraw(self) -> None:
        try:
            await self._store.delete_many(_SECTION, frozenset({self._worker_id}))
        except PorticoError as error:
            # it expires by itself
            logger.debug("worker_directory_not_updated", error=describe(error))

    async def _served_by_others(self) -> frozenset[str]:
        now = (await self._store.now()).timestamp()
        entries = await self._store.entries(_SECTION)
        dead = frozenset(key for key, stored in entries.items() if stored.value["alive_until"] < now)
        if dead:
            await self._store.delete_many(_SECTION, dead)
        return frozenset(
            queue for key, stored in entries.items() if key not in dead for queue in stored.value["queues"]
        )
