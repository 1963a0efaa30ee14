"""How far each schedule has come, kept in the trigger store and shared by its replicas."""

from datetime import datetime

from portico.ports.trigger_store import StoredValue, TriggerStore


class ScheduleCursors:
    """One cursor a schedule: every tick up to it is done; it only grows, whoever moves it."""

    def __init__(self, store: TriggerStore, trigger: str) -> None:
        self._store = store
        self._trigger = trigger

    async def open(self, schedule_id: str, timing: str, now: datetime) -> datetime:
        """Return the cursor; that of a schedule which is new, or whose `timing` was edited, is set to `now`."""
        while True:
            stored = await self._store.get(self._trigger, _key(schedule_id))
            if stored is not None and stored.value["timing"] == timing:
                return _reached(stored)
            reached = now if stored is None else max(now, _reached(stored))
            if await self._set(schedule_id, timing, reached, stored):
                return reached

    async def advance(self, schedule_id: str, timing: str, tick: datetime) -> None:
        """Move the cursor to `tick`, unless a replica has moved it as far."""
        while True:
            stored = await self._store.get(self._trigger, _key(schedule_id))
            if stored is not None and _reached(stored) >= tick:
                return
            # a replica with the older configuration does not undo the newer one's mark
            mark = timing if stored is None else str(stored.value["timing"])
            if await self._set(schedule_id, mark, tick, stored):
                return

    async def _set(self, schedule_id: str, timing: str, reached: datetime, stored: StoredValue | None) -> bool:
        value = {"reached": reached.isoformat(), "timing": timing}
        version = 0 if stored is None else stored.version
        changed = await self._store.compare_and_set(self._trigger, _key(schedule_id), value, expected_version=version)
        return changed is not None


def _key(schedule_id: str) -> str:
    return f"schedule:{schedule_id}"


def _reached(stored: StoredValue) -> datetime:
    return datetime.fromisoformat(stored.value["reached"])
