"""Files that arrive in a folder become jobs."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from itertools import islice
from os import PathLike, fsencode, fspath
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

from typing_extensions import override

from portico.adapters.file_system.path_text import escaped, is_text
from portico.adapters.file_system.scanning import TEMPORARY_NAMES, Scanner, Selection
from portico.adapters.file_system.seen_files import SeenFiles
from portico.adapters.file_system.settling import Version
from portico.adapters.file_system.watched_folder import WatchedFolder
from portico.adapters.file_system.watching import watch_once
from portico.exceptions import ConfigurationError, ExternalServiceError, ValidationError
from portico.ports.clock import Clock
from portico.ports.event_inbox import EventInbox
from portico.ports.job_creator import JobCreator, JobRequest
from portico.ports.trigger_store import TriggerStore
from portico.runtime.events import Event
from portico.runtime.polling import PollingTrigger
from portico.runtime.setting_checks import require_choice, require_name, require_priority, require_seconds
from portico.utils.logging import get_logger

logger = get_logger(__name__)

Result = TypeVar("Result")

_MARKED_TOGETHER = 50
"""Files whose jobs exist are marked as seen in groups: one write of the store for so many."""
_LEAST_REST_SECONDS = 0.05
_REST_PER_SCAN = 4
"""Scanning takes at most a fifth of a thread's time, however often files change."""


@dataclass(frozen=True, kw_only=True)
class FileTriggerConfig:
    """What a `FileTrigger` does with the files that it finds."""

    job_type: str
    queue_name: str
    priority: int
    settle_seconds: float
    existing: Literal["ignore", "take"]
    poll_interval_seconds: float

    def __post_init__(self) -> None:
        """Refuse values that cannot work, naming them."""
        require_name("job_type", self.job_type)
        require_name("queue_name", self.queue_name)
        require_priority(self.priority)
        require_choice("existing", self.existing, ("ignore", "take"))
        require_seconds("poll_interval_seconds", self.poll_interval_seconds)
        if not 0 <= self.settle_seconds < float("inf"):
            raise ConfigurationError(f"settle_seconds must be 0 or more, not {self.settle_seconds}")


class FileTrigger(PollingTrigger):
    """Creates a job with the payload ``{"file_path": ...}`` for each file that is complete below `watch_path`.

    The scan finds the files, every `poll_interval_seconds` and whenever the operating system reports a change; the
    trigger store remembers which were seen.
    """

    kind: ClassVar[str] = "file"

    def __init__(  # noqa: PLR0913 - the contract's signature
        self,
        job_creator: JobCreator,
        watch_path: str | PathLike[str],
        job_type: str = "file.process",
        queue_name: str = "file_processing",
        settle_seconds: float = 1.0,
        existing: Literal["ignore", "take"] = "ignore",
        *,
        priority: int = 0,
        recursive: bool = True,
        patterns: Sequence[str] | None = None,
        ignore: Sequence[str] = TEMPORARY_NAMES,
        poll_interval_seconds: float = 5.0,
        name: str | None = None,
        clock: Clock | None = None,
        store: TriggerStore | None = None,
        inbox: EventInbox | None = None,
    ) -> None:
        super().__init__(job_creator, name=name, clock=clock, store=store, inbox=inbox)
        if not fspath(watch_path):
            # an empty path means the working directory
            raise ConfigurationError("watch_path must not be empty")
        self.watch_path = Path(watch_path).absolute()
        self.job_type = job_type
        self.queue_name = queue_name
        self.config = FileTriggerConfig(
            job_type=job_type,
            queue_name=queue_name,
            priority=priority,
            settle_seconds=settle_seconds,
            existing=existing,
            poll_interval_seconds=poll_interval_seconds,
        )
        self._selection = Selection(path=self.watch_path, recursive=recursive, patterns=patterns, ignore=ignore)
        self._changed = asyncio.Event()
        self._rest_seconds = _LEAST_REST_SECONDS
        self._due_in_seconds = 0.0
        self._unreadable: Mapping[str, str] = {}
        self._folder: WatchedFolder
        self._seen: SeenFiles
        self._ended: threading.Event
        self._threads: Executor

    @property
    @override
    def summary(self) -> str:
        return f"{self.watch_path}  -> {self.config.job_type}"

    @property
    @override
    def queue_names(self) -> frozenset[str]:
        return frozenset({self.config.queue_name})

    @property
    @override
    def job_types(self) -> frozenset[str]:
        return frozenset({self.config.job_type})

    @override
    async def _open(self, stack: AsyncExitStack) -> None:
        await super()._open(stack)
        self._ended = threading.Event()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix=f"{self._name}-folder")
        # a share that hangs must not hold `stop` up: its threads are told to end, not waited for
        stack.callback(self._threads.shutdown, wait=False, cancel_futures=True)
        stack.callback(self._ended.set)
        scanner = Scanner(self._selection, self._ended, self._clock.monotonic)
        self._folder = WatchedFolder(scanner, self.config.settle_seconds)
        self._seen = SeenFiles(self.store, self._name)
        await self._look_for_the_first_time()
        self._supervise(stack, "watch", self._watch)

    async def _look_for_the_first_time(self) -> None:
        was_watched = await self._seen.load(str(self.watch_path))
        try:
            contents = await self._in_thread(self._folder.contents)
        except OSError as error:
            raise ConfigurationError(self._trouble(error), cause=error) from None
        if was_watched:
            return
        left_alone = contents if self.config.existing == "ignore" else {}
        await self._seen.begin(str(self.watch_path), left_alone)
        if left_alone:
            logger.info("files_left_alone", trigger=self._name, folder=str(self.watch_path), count=len(left_alone))

    @override
    async def _poll(self) -> None:
        self._changed.clear()
        try:
            sight = await self._in_thread(partial(self._folder.look, self._seen.versions))
        except OSError as error:
            raise ExternalServiceError(self._trouble(error), cause=error) from None
        self._rest_seconds = max(_LEAST_REST_SECONDS, sight.took_seconds * _REST_PER_SCAN)
        self._due_in_seconds = sight.due_in_seconds
        self._report_unreadable(sight.unreadable)
        await self._take(sight.complete)
        await self._seen.forget(sight.gone)

    @override
    async def _rest(self) -> None:
        await self._clock.sleep(self._rest_seconds)
        seconds = min(self._due_in_seconds, self.config.poll_interval_seconds) - self._rest_seconds
        async with asyncio.TaskGroup() as group:
            hint = group.create_task(self._changed.wait(), name=f"{self._name}:hint")
            due = group.create_task(self._clock.sleep(seconds), name=f"{self._name}:due")
            await asyncio.wait({hint, due}, return_when=asyncio.FIRST_COMPLETED)
            hint.cancel()
            due.cancel()

    async def _watch(self) -> None:
        wake = partial(asyncio.get_running_loop().call_soon_threadsafe, self._changed.set)
        has_warned = False
        while True:
            try:
                await self._in_thread(partial(watch_once, self.watch_path, self._folder, self._ended, wake))
            except FileNotFoundError:
                await self._clock.sleep(self.config.poll_interval_seconds)
            except (OSError, RuntimeError) as error:
                # once: the scans at their interval find everything, only later
                if not has_warned:
                    logger.warning("folder_watch_lost", trigger=self._name, error=type(error).__name__)
                has_warned = True
                await self._clock.sleep(self.config.poll_interval_seconds)
            else:
                await self._clock.sleep(_LEAST_REST_SECONDS)

    async def _take(self, files: Mapping[str, Version]) -> None:
        remaining = iter(files.items())
        while group := dict(islice(remaining, _MARKED_TOGETHER)):
            with self._work():
                await self._take_group(group)
            # a store in memory makes nobody wait, and so would let nobody else go on
            await asyncio.sleep(0)

    async def _take_group(self, files: Mapping[str, Version]) -> None:
        taken: dict[str, Version] = {}
        try:
            for path, version in files.items():
                event = Event(source_id=escaped(path), body=fsencode(path))
                await self._process(event, partial(self._translate, path, version))
                taken[path] = version
        finally:
            # also when one fails: those before it have their jobs
            await self._seen.add(taken)

    def _translate(self, path: str, version: Version, event: Event) -> JobRequest:
        if not is_text(path):
            raise ValidationError(f"the name of the file is not UTF-8: {event.source_id}")
        size, mtime_ns = version
        return JobRequest(
            job_type=self.config.job_type,
            payload={"file_path": str(self.watch_path / path)},
            queue_name=self.config.queue_name,
            priority=self.config.priority,
            metadata={"idempotency_key": self._key(self.config.job_type, f"{path}:{size}:{mtime_ns}")},
        )

    def _report_unreadable(self, unreadable: Mapping[str, str]) -> None:
        for path in sorted(unreadable.keys() - self._unreadable.keys()):
            error = ExternalServiceError(f"cannot read {self._shown(path)}: {unreadable[path]}")
            self._failed(error)
            logger.warning("file_unreadable", trigger=self._name, path=self._shown(path), error=unreadable[path])
        self._unreadable = unreadable

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _shown(self, path: str) -> str:
        return escaped(str(self.watch_path / path))

    def _trouble(self, error: OSError) -> str:
        folder = self._shown("")
        match error:
            case FileNotFoundError():
                return f"the folder to watch does not exist: {folder}; create it"
            case NotADirectoryError():
                return f"the path to watch is not a folder: {folder}"
            case _:
                return f"the folder to watch cannot be read ({type(error).__name__}): {folder}"
