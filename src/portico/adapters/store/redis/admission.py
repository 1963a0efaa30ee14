"""Claims where there are limits: the server shows the head of the line, and then claims what has room."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from portico.adapters.job_slots import Slot, SlotRules
from portico.adapters.job_store import Claim, KeepingRules
from portico.adapters.store.redis.records import job_from_record
from portico.adapters.store.redis.store import RedisStore
from portico.adapters.store.redis.wire import Argument

_LOOKED_AT_ONCE = 250
_SLOT_ID_BYTES = 16


class RedisAdmission:
    """What comes under which limit is worked out here; whether there is room, and who is parked, on the server."""

    def __init__(self, store: RedisStore, rules: KeepingRules) -> None:
        self._store = store
        self._slots = SlotRules(rules.limits)
        self._lease = round(rules.lease_seconds * 1_000_000)

    def concerns(self, queue_name: str) -> bool:
        """Tell whether jobs of the queue may come under a limit."""
        return self._slots.concern(queue_name)

    async def claim(
        self, queue_name: str, limit: int, token: int, patience: tuple[Argument, ...]
    ) -> tuple[int, int | None, list[Claim]]:
        """Claim until it is enough or the line is empty; return the time and when the queue is due next, too."""
        claims: list[Claim] = []
        looked_at = limit
        while True:
            now, due_at, *found = await self._store.run("job_look", queue_name, *patience, looked_at)
            if found:
                claims += await self._admit(queue_name, found, limit - len(claims), token)
            if not found or len(claims) == limit:
                return now, due_at, claims
            looked_at = min(2 * looked_at, _LOOKED_AT_ONCE)

    async def _admit(self, queue_name: str, found: Sequence[Any], limit: int, token: int) -> list[Claim]:
        numbers: dict[Slot, int] = {}
        needs: list[Argument] = []
        for record in found:
            slots = self._slots.slots_of(job_from_record(*record))
            needs += (record[0], len(slots), *(numbers.setdefault(slot, len(numbers) + 1) for slot in slots))
        sizes = [part for slot in numbers for part in (_slot_id(slot.name), slot.size, _window(slot))]
        admitted = await self._store.run(
            "job_admit", queue_name, self._lease, token, limit, len(numbers), *sizes, *needs
        )
        documents = {job_id: document for job_id, document, _ in found}
        return [Claim(job_from_record(job_id, documents[job_id], state), token) for job_id, state in admitted]


@lru_cache(maxsize=10_000)
def _slot_id(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=_SLOT_ID_BYTES).digest()


def _window(slot: Slot) -> Argument:
    return "" if slot.window_seconds is None else round(slot.window_seconds * 1_000_000)
