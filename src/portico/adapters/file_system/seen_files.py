"""Which files had their event already, between runs and across replicas."""

import os
from collections.abc import Iterable, Mapping

from portico.adapters.file_system.path_text import is_text
from portico.adapters.file_system.settling import Version
from portico.ports.trigger_store import TriggerStore

_FOLDER = "folder"
_TEXT = "file:"
_BYTES = "file-bytes:"


class SeenFiles:
    """The seen files of one trigger by path; in memory only what the store has too."""

    def __init__(self, store: TriggerStore, trigger: str) -> None:
        self._store = store
        self._trigger = trigger
        self.versions: dict[str, Version] = {}

    async def load(self, folder: str) -> bool:
        """Read what the store knows, and return whether this trigger watched this folder before."""
        entries = await self._store.entries(self._trigger)
        stored = {key: entry.value for key, entry in entries.items() if key.startswith((_TEXT, _BYTES))}
        self.versions = {_path(key): (size, mtime_ns) for key, (size, mtime_ns) in stored.items()}
        return _FOLDER in entries and entries[_FOLDER].value == folder

    async def begin(self, folder: str, versions: Mapping[str, Version]) -> None:
        """Mark the folder as watched, and what lies there as seen, in one go; forget every other folder."""
        await self._store.put_many(self._trigger, {_FOLDER: folder, **_entries(versions)})
        former, self.versions = self.versions, dict(versions)
        await self._store.delete_many(self._trigger, frozenset(map(_key, former.keys() - versions.keys())))

    async def add(self, versions: Mapping[str, Version]) -> None:
        """Remember; only after the job exists, so that a crash repeats an event and never loses one."""
        if versions:
            await self._store.put_many(self._trigger, _entries(versions))
            self.versions.update(versions)

    async def forget(self, paths: Iterable[str]) -> None:
        """Forget files that are gone."""
        gone = frozenset(paths)
        if gone:
            await self._store.delete_many(self._trigger, frozenset(map(_key, gone)))
            self.versions = {path: version for path, version in self.versions.items() if path not in gone}


def _entries(versions: Mapping[str, Version]) -> dict[str, list[int]]:
    return {_key(path): list(version) for path, version in versions.items()}


def _key(path: str) -> str:
    return _TEXT + path if is_text(path) else _BYTES + os.fsencode(path).hex()


def _path(key: str) -> str:
    if key.startswith(_BYTES):
        return os.fsdecode(bytes.fromhex(key.removeprefix(_BYTES)))
    return key.removeprefix(_TEXT)
