"""What was changed about schedules at run time: kept in the trigger store, seen by every replica."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from portico.exceptions import ConfigurationError
from portico.ports.trigger_store import StoredValue, TriggerStore
from portico.runtime.schedule_config import ScheduleConfig
from portico.runtime.schedule_documents import as_document, fingerprint, from_document
from portico.runtime.service import describe
from portico.utils.logging import get_logger

logger = get_logger(__name__)

_REVISION = "revision"


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
        self._seen_version = 0
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
        """Read what others have changed, and return the schedules that it may concern."""
        revision = await self._store.get(self._section, _REVISION)
        version = 0 if revision is None else revision.version
        if version == self._seen_version:
            return frozenset()
        before = self.changed_ids
        self._read(await self._store.entries(self._section))
        self._seen_version = version
        return before | self.changed_ids

    async def define(self, schedule_id: str, schedule: ScheduleConfig | None, in_code: ScheduleConfig | None) -> None:
        """Add, edit or (None) remove a schedule."""
        value = {
            "config": None if schedule is None else as_document(schedule),
            "replaces": None if in_code is None else fingerprint(in_code),
        }
        await self._put(f"definition:{schedule_id}", value)

    async def pause(self, schedule_id: str, pause: Pause) -> None:
        """Pause a schedule, or let it go on."""
        value = {
            "is_paused": pause.is_paused,
            "reason": pause.reason,
            "skip_until": pause.skip_until and pause.skip_until.isoformat(),
        }
        await self._put(f"pause:{schedule_id}", value)

    async def _put(self, key: str, value: dict[str, Any]) -> None:
        # together: who sees the revision sees the change
        await self._store.put_many(self._section, {key: value, _REVISION: uuid4().hex})

    def _read(self, entries: Mapping[str, StoredValue]) -> None:
        self._definitions = dict(_definitions(_of_kind("definition", entries)))
        self._pauses = {
            schedule_id: Pause(value["is_paused"], value["reason"], _instant(value["skip_until"]))
            for schedule_id, value in _of_kind("pause", entries)
        }


def _of_kind(kind: str, entries: Mapping[str, StoredValue]) -> Iterable[tuple[str, Any]]:
    prefix = f"{kind}:"
    return [(key.removeprefix(prefix), stored.value) for key, stored in entries.items() if key.startswith(prefix)]


def _definitions(values: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, Definition]]:
    for schedule_id, value in values:
        try:
            schedule = None if value["config"] is None else from_document(value["config"])
        except ConfigurationError as error:
            # for example a zone that only the other host knows
            logger.warning("schedule_not_understood", schedule_id=schedule_id, error=describe(error))
            continue
        yield schedule_id, Definition(schedule, value["replaces"])


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
