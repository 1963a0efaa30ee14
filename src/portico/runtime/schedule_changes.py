"""What was changed about schedules at run time: kept in the trigger store, seen by every replica."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from portico.exceptions import ConfigurationError
from portico.ports.trigger_store import TriggerStore
from portico.runtime.schedule_config import ScheduleConfig
from portico.runtime.schedule_documents import as_document, fingerprint, from_document
from portico.runtime.service import describe
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_REVISION = "revision"
_DEFINITION = "definition:"
_PAUSE = "pause:"


@dataclass(frozen=True, slots=True)
class Pause:
    """A schedule that is paused, or was; `skip_until` leaves out what was missed meanwhile."""

    is_paused: bool = False
    reason: str = ""
    skip_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """A schedule that was added, edited or (None) removed; `replaces` is the fingerprint of the one in the code."""

    schedule: ScheduleConfig | None
    replaces: str | None


NOT_PAUSED = Pause()


class ScheduleChanges:
    """One entry for the definition and one for the pause of each schedule that was changed; the latest change counts.

    A change holds until the code gives that schedule another definition than the one it had then: of both, the later
    one counts.
    """

    def __init__(self, store: TriggerStore, trigger: str) -> None:
        self._store = store
        # beside the cursors, which are many
        self._section = f"{trigger}/changes"
        self._seen_revision = 0
        self._seen_versions: dict[str, int] = {}
        self._definitions: dict[str, Definition] = {}
        self._pauses: dict[str, Pause] = {}

    @property
    def changed_ids(self) -> frozenset[str]:
        """The schedules about which something is stored."""
        return frozenset(self._definitions) | frozenset(self._pauses)

    def pause_of(self, schedule_id: str) -> Pause:
        """Tell whether the schedule is paused."""
        return self._pauses.get(schedule_id, NOT_PAUSED)

    def effective(self, schedule_id: str, in_code: ScheduleConfig | None) -> ScheduleConfig | None:
        """Return the schedule as it is now, None when there is none (any more)."""
        change = self._definitions.get(schedule_id)
        if change is None:
            return in_code
        if in_code is not None and change.replaces != fingerprint(in_code):
            return in_code
        return change.schedule

    async def refresh(self) -> frozenset[str]:
        """Read what was changed since, here or by others, and return the schedules that it concerns."""
        stored = await self._store.get(self._section, _REVISION)
        revision = 0 if stored is None else stored.version
        if revision == self._seen_revision:
            return frozenset()
        entries = await self._store.entries(self._section)
        changed: set[str] = set()
        for key, entry in entries.items():
            if key != _REVISION and self._seen_versions.get(key) != entry.version:
                self._seen_versions[key] = entry.version
                changed.add(self._read(key, entry.value))
        self._seen_revision = revision
        return frozenset(changed)

    async def define(self, schedule_id: str, schedule: ScheduleConfig | None, in_code: ScheduleConfig | None) -> None:
        """Add, edit or (None) remove a schedule."""
        replaces = None if in_code is None else fingerprint(in_code)
        value = {"config": None if schedule is None else as_document(schedule), "replaces": replaces}
        await self._put(f"{_DEFINITION}{schedule_id}", value)
        self._definitions[schedule_id] = Definition(schedule, replaces)

    async def pause(self, schedule_id: str, pause: Pause) -> None:
        """Pause a schedule, or let it go on."""
        value = {
            "is_paused": pause.is_paused,
            "reason": pause.reason,
            "skip_until": pause.skip_until and pause.skip_until.isoformat(),
        }
        await self._put(f"{_PAUSE}{schedule_id}", value)
        self._pauses[schedule_id] = pause

    async def _put(self, key: str, value: dict[str, Any]) -> None:
        # together: who sees the revision sees the change
        await self._store.put_many(self._section, {key: value, _REVISION: uuid4().hex})

    def _read(self, key: str, value: Any) -> str:
        kind = _DEFINITION if key.startswith(_DEFINITION) else _PAUSE
        schedule_id = key.removeprefix(kind)
        try:
            if kind == _DEFINITION:
                self._definitions[schedule_id] = _definition(value)
            else:
                skip_until = value["skip_until"] and datetime.fromisoformat(value["skip_until"])
                self._pauses[schedule_id] = Pause(value["is_paused"], value["reason"], skip_until)
        except (ConfigurationError, LookupError, TypeError, ValueError) as error:
            # for example a zone that only the other host knows, or an entry of another version
            logger.warning("schedule_not_understood", schedule_id=schedule_id, error=describe(error))
        return schedule_id


def _definition(value: Any) -> Definition:
    return Definition(None if value["config"] is None else from_document(value["config"]), value["replaces"])
