"""What lies in a folder, looked up with system calls that block: for a thread of its own."""

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import Path

from portico.adapters.file_system.path_text import escaped, is_text
from portico.adapters.file_system.settling import FileStamp, Identity, Snapshot
from portico.exceptions import ConfigurationError
from portico.runtime.service import StoppingError

TEMPORARY_NAMES = ("*.tmp", "*.part", "*~", ".*")
"""Names of files that somebody is still writing, and of what is hidden."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which files below a folder count.

    A glob with a slash is matched against the path relative to the folder, one without against each name; `ignore` also
    holds for the folders on the way.
    """

    path: Path
    recursive: bool = True
    patterns: Sequence[str] | None = None
    ignore: Sequence[str] = TEMPORARY_NAMES

    def __post_init__(self) -> None:
        """Refuse what could not be told in a payload, and what would silently match nothing."""
        if not is_text(str(self.path)):
            raise ConfigurationError(f"watch_path must be UTF-8, not {escaped(str(self.path))}")
        for option, globs in (("patterns", self.patterns), ("ignore", self.ignore)):
            if isinstance(globs, str):
                raise ConfigurationError(f"{option} must be a list of globs such as ['*.csv'], not the text {globs!r}")
        if self.patterns is not None and not self.patterns:
            raise ConfigurationError("patterns must not be empty: no file would match; leave it out for all files")


class Globs:
    """Several globs as one question."""

    def __init__(self, globs: Iterable[str]) -> None:
        by_place: dict[bool, list[str]] = {True: [], False: []}
        for glob in globs:
            by_place["/" in glob].append(translate(glob))
        self._paths, self._names = _any_of(by_place[True]), _any_of(by_place[False])

    def match(self, path: str, name: str) -> bool:
        """Tell whether a glob matches the relative path or, where it has no slash, the name."""
        return bool((self._names and self._names.match(name)) or (self._paths and self._paths.match(path)))


@dataclass
class _Findings:
    files: dict[str, FileStamp] = field(default_factory=dict)
    temporary: set[Identity] = field(default_factory=set)
    unreadable: dict[str, str] = field(default_factory=dict)
    folders: set[tuple[str, int]] = field(default_factory=set)
    unlisted: list[str] = field(default_factory=list)


class Scanner:
    """Looks at a folder, in whatever thread it is called, until `ended` is set.

    Symbolic links are never followed (but the folder itself may be one), and only regular files count.
    """

    def __init__(self, selection: Selection, ended: threading.Event, monotonic: Callable[[], float]) -> None:
        self._selection = selection
        self._ended = ended
        self._monotonic = monotonic
        self._ignore = Globs(selection.ignore)
        self._patterns = Globs(selection.patterns) if selection.patterns is not None else None

    def scan(self) -> Snapshot:
        """Look at everything once.

        Raises:
            OSError: the folder itself is missing, is no folder or cannot be read; trouble below it is in the snapshot.
            StoppingError: `ended` was set meanwhile.

        """
        began = self._monotonic()
        found = _Findings()
        found.folders.add(("", self._selection.path.stat().st_ino))
        self._list("", found)
        while found.unlisted:
            self._list_below(found.unlisted.pop(), found)
        return Snapshot(
            files=found.files,
            temporary=frozenset(found.temporary),
            unreadable=found.unreadable,
            folders=frozenset(found.folders),
            began=began,
            ended=self._monotonic(),
        )

    def unreadable(self, paths: Iterable[str]) -> Iterator[str]:
        """Name those of the files that this process may not read."""
        return (path for path in paths if not os.access(self._selection.path / path, os.R_OK))

    def _list_below(self, folder: str, found: _Findings) -> None:
        try:
            self._list(folder, found)
        except (FileNotFoundError, NotADirectoryError):
            return  # gone since its own folder was listed
        except OSError as error:
            found.unreadable[folder] = type(error).__name__

    def _list(self, folder: str, found: _Findings) -> None:
        if self._ended.is_set():
            raise StoppingError("the scan was cut short")
        prefix = f"{folder}/" if folder else ""
        with os.scandir(self._selection.path / folder) as entries:
            for entry in entries:
                self._add_quietly(prefix + entry.name, entry, found)

    def _add_quietly(self, path: str, entry: os.DirEntry[str], found: _Findings) -> None:
        try:
            self._add(path, entry, found)
        except FileNotFoundError:
            return  # gone since its folder was listed
        except OSError as error:
            found.unreadable[path] = type(error).__name__

    def _add(self, path: str, entry: os.DirEntry[str], found: _Findings) -> None:
        ignored = self._ignore.match(path, entry.name)
        if entry.is_dir(follow_symlinks=False):
            if self._selection.recursive and not ignored:
                found.folders.add((path, entry.inode()))
                found.unlisted.append(path)
        elif entry.is_file(follow_symlinks=False):
            stamp = _stamp(entry.stat(follow_symlinks=False))
            if ignored:
                found.temporary.add(stamp.identity)
            elif self._patterns is None or self._patterns.match(path, entry.name):
                found.files[path] = stamp


def _stamp(status: os.stat_result) -> FileStamp:
    return FileStamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _any_of(expressions: list[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(expressions)) if expressions else None
