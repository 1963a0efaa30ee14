"""The file trigger on a folder and at a time of the test's making."""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import AsyncMock

import pytest
import structlog
from typing_extensions import override

from portico.adapters.file_system.settling import FileStamp, Snapshot
from portico.adapters.job_trigger import file_trigger
from portico.adapters.job_trigger.file_trigger import FileTrigger
from portico.exceptions import ConfigurationError, DatabaseError, ValidationError
from portico.ports.event_inbox import EventOutcome
from portico.ports.job_creator import JobCreator
from portico.ports.job_trigger import TriggerState
from portico.runtime.memory_state import MemoryEventInbox, MemoryTriggerStore
from portico.testing import FakeClock, RecordingJobCreator

pytestmark = pytest.mark.asyncio

NEW = FileStamp(size=1, mtime_ns=100, ctime_ns=100, inode=7)
Result = TypeVar("Result")


class FakeFolder:
    """Stands in for the scanner."""

    def __init__(self, clock: FakeClock) -> None:
        self.files: dict[str, FileStamp] = {}
        self.forbidden: set[str] = set()
        self.unreadable_folders: dict[str, str] = {}
        self.error: OSError | None = None
        self._clock = clock

    def scan(self) -> Snapshot:
        if self.error is not None:
            raise self.error
        now = self._clock.monotonic()
        return Snapshot(files=dict(self.files), unreadable=self.unreadable_folders, began=now, ended=now)

    def unreadable(self, paths: Iterable[str]) -> Iterator[str]:
        return (path for path in paths if path in self.forbidden)


class InlineFileTrigger(FileTrigger):
    """Works in no thread, so that the fake clock's time is all there is."""

    @override
    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return work()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2030, 1, 1, tzinfo=UTC))


@pytest.fixture
def folder(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeFolder:
    folder = FakeFolder(clock)

    def no_watch(*_: object) -> None:
        raise OSError("the limit on watches is reached")

    monkeypatch.setattr(file_trigger, "Scanner", lambda *_: folder)
    monkeypatch.setattr(file_trigger, "watch_once", no_watch)
    return folder


@pytest.fixture
def creator(clock: FakeClock) -> RecordingJobCreator:
    return RecordingJobCreator(clock)


@pytest.fixture
def store() -> MemoryTriggerStore:
    return MemoryTriggerStore()


@pytest.fixture
def inbox() -> MemoryEventInbox:
    return MemoryEventInbox()


@pytest.fixture
def build(
    clock: FakeClock,
    folder: FakeFolder,
    creator: RecordingJobCreator,
    store: MemoryTriggerStore,
    inbox: MemoryEventInbox,
) -> Callable[..., InlineFileTrigger]:
    def build(**options: Any) -> InlineFileTrigger:
        defaults: dict[str, Any] = {
            "job_creator": creator,
            "watch_path": "/in",
            "clock": clock,
            "store": store,
            "inbox": inbox,
        }
        return InlineFileTrigger(**(defaults | options))

    return build


Build = Callable[..., InlineFileTrigger]


async def test_a_complete_file_becomes_a_job(
    build: Build, folder: FakeFolder, clock: FakeClock, creator: RecordingJobCreator
) -> None:
    async with _running(build(priority=3)):
        folder.files["sub/a.csv"] = NEW
        await clock.advance(7)

    (job,) = creator.jobs
    assert job.job_type == "file.process"
    assert job.queue_name == "file_processing"
    assert job.priority == 3
    assert job.payload == {"file_path": "/in/sub/a.csv"}
    assert job.metadata == {"idempotency_key": "file:file.process:sub/a.csv:1:100"}


async def test_a_file_is_not_taken_before_it_settled(
    build: Build, folder: FakeFolder, clock: FakeClock, creator: RecordingJobCreator
) -> None:
    async with _running(build(settle_seconds=60)):
        folder.files["a"] = NEW
        await clock.advance(59)
        assert creator.jobs == []
        await clock.advance(7)
        assert len(creator.jobs) == 1


async def test_what_lies_there_at_the_first_start_is_left_alone_and_counted(
    build: Build, folder: FakeFolder, clock: FakeClock, creator: RecordingJobCreator
) -> None:
    folder.files = {"a": NEW, "b": NEW}
    with structlog.testing.capture_logs() as logs:
        async with _running(build()):
            await clock.advance(20)

    assert creator.jobs == []
    assert [line["count"] for line in logs if line["event"] == "files_left_alone"] == [2]


async def test_what_lies_there_is_taken_where_that_is_asked_for(
    build: Build, folder: FakeFolder, clock: FakeClock, creator: RecordingJobCreator
) -> None:
    folder.files = {"a": NEW, "b": NEW}
    async with _running(build(existing="take")):
        await clock.advance(20)

    assert [job.payload["file_path"] for job in creator.jobs] == ["/in/a", "/in/b"]


async def test_many_files_hold_up_nobody_where_a_job_is_created_without_waiting(
    build: Build, folder: FakeFolder, creator: RecordingJobCreator
) -> None:
    folder.files = {f"{number:04}": NEW for number in range(1_000)}
    trigger = build(existing="take", settle_seconds=0)
    await trigger.start()
    counted = set()
    while len(creator.jobs) < len(folder.files):
        await asyncio.sleep(0)
        counted.add(len(creator.jobs))
    await trigger.stop()

    assert max(after - before for before, after in pairwise(sorted(counted))) <= 50


async def test_files_that_arrive_while_the_process_is_down_are_found_at_the_next_start(
    build: Build, folder: FakeFolder, clock: FakeClock, creator: RecordingJobCreator
) -> None:
    folder.files = {"old": NEW}
    async with _running(build()):
        folder.files["seen"] = NEW
        await clock.advance(20)
    folder.files["missed"] = NEW
    async with _running(build()):
        await clock.advance(20)

    assert [job.payload["file_path"] for job in creator.jobs] == ["/in/seen", "/in/missed"]


async def test_a_rewritten_file_is_a_new_event(
    build: Build, folder: FakeFolder, clock: FakeClock, creator: RecordingJobCreator
) -> None:
    async with _running(build()):
        folder.files["a"] = NEW
        await clock.advance(20)
        folder.files["a"] = replace(NEW, mtime_ns=101, ctime_ns=101)
        await clock.advance(20)

    assert len({job.metadata["idempotency_key"] for job in creator.jobs}) == 2


async def test_two_replicas_on_one_store_make_one_job(
    build: Build, folder: FakeFolder, clock: FakeClock, creator: RecordingJobCreator
) -> None:
    first, second = build(), build()
    async with _running(first), _running(second):
        folder.files["a"] = NEW
        await clock.advance(20)

    assert len(creator.jobs) == 1
    assert first.get_health().jobs_created_count + second.get_health().jobs_created_count == 1
    assert first.get_health().duplicates_count + second.get_health().duplicates_count == 1


async def test_a_failed_creation_leaves_the_file_to_be_taken_later(
    build: Build, folder: FakeFolder, clock: FakeClock, creator: RecordingJobCreator
) -> None:
    trigger = build()
    async with _running(trigger):
        creator.fail_next(DatabaseError("the store is down"), times=5)
        folder.files["a"] = NEW
        await clock.advance(7)
        assert trigger.get_health().state is TriggerState.BACKOFF
        await clock.advance(30)
        assert trigger.get_health().state is TriggerState.RUNNING

    assert len(creator.jobs) == 1
    assert trigger.get_health().errors_count == 5


async def test_files_before_a_failed_one_are_not_asked_for_again(
    build: Build, folder: FakeFolder, clock: FakeClock
) -> None:
    creator = AsyncMock(spec=JobCreator)
    creator.create_job.side_effect = [AsyncMock(), DatabaseError("the store is down"), AsyncMock()]
    async with _running(build(job_creator=creator)):
        folder.files = {"a": NEW, "b": NEW}
        await clock.advance(30)

    paths = [call.kwargs["payload"]["file_path"] for call in creator.create_job.await_args_list]
    assert paths == ["/in/a", "/in/b", "/in/b"]


async def test_a_file_is_marked_as_seen_only_after_its_job_exists(
    build: Build, folder: FakeFolder, clock: FakeClock, store: MemoryTriggerStore
) -> None:
    creator = AsyncMock(spec=JobCreator)
    marks: list[bool] = []

    async def create_job(**_: Any) -> AsyncMock:
        marks.append("file:a" in await store.entries("file"))
        return AsyncMock()

    creator.create_job.side_effect = create_job
    async with _running(build(job_creator=creator)):
        folder.files["a"] = NEW
        await clock.advance(20)

    assert marks == [False]
    assert "file:a" in await store.entries("file")


async def test_a_mark_that_fails_is_made_up_for(
    build: Build,
    folder: FakeFolder,
    clock: FakeClock,
    creator: RecordingJobCreator,
    store: MemoryTriggerStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with _running(build()):
        with monkeypatch.context() as patch:
            patch.setattr(store, "put_many", AsyncMock(side_effect=DatabaseError("the disk is full")))
            folder.files["a"] = NEW
            await clock.advance(10)
        await clock.advance(60)

    assert len(creator.jobs) == 1
    assert "file:a" in await store.entries("file")


async def test_a_deleted_file_is_forgotten(
    build: Build, folder: FakeFolder, clock: FakeClock, store: MemoryTriggerStore
) -> None:
    folder.files = {"a": NEW, "b": NEW}
    async with _running(build()):
        del folder.files["a"]
        await clock.advance(20)

    assert {key for key in await store.entries("file") if key.startswith("file:")} == {"file:b"}


@pytest.mark.parametrize("trouble", ["empty", "unreadable"])
async def test_a_folder_that_may_only_look_empty_forgets_nothing(
    build: Build, folder: FakeFolder, clock: FakeClock, creator: RecordingJobCreator, trouble: str
) -> None:
    folder.files = {"a": NEW, "sub/b": NEW}
    before = dict(folder.files)
    async with _running(build()):
        folder.files = {} if trouble == "empty" else {"a": NEW}
        folder.unreadable_folders = {} if trouble == "empty" else {"sub": "PermissionError"}
        await clock.advance(20)
        folder.files, folder.unreadable_folders = before, {}
        await clock.advance(20)

    assert creator.jobs == []


async def test_a_file_that_cannot_be_read_is_told_once_and_taken_when_it_can(
    build: Build, folder: FakeFolder, clock: FakeClock, creator: RecordingJobCreator
) -> None:
    trigger = build()
    folder.forbidden = {"a"}
    with structlog.testing.capture_logs() as logs:
        async with _running(trigger):
            folder.files = {"a": NEW, "b": NEW}
            await clock.advance(60)
            assert [job.payload["file_path"] for job in creator.jobs] == ["/in/b"]
            folder.forbidden.clear()
            await clock.advance(6)

    assert [job.payload["file_path"] for job in creator.jobs] == ["/in/b", "/in/a"]
    assert [line["path"] for line in logs if line["event"] == "file_unreadable"] == ["/in/a"]
    assert trigger.get_health().errors_count == 1


async def test_a_name_that_is_not_utf8_is_rejected_once_with_its_bytes_kept(
    build: Build, folder: FakeFolder, clock: FakeClock, creator: RecordingJobCreator, inbox: MemoryEventInbox
) -> None:
    async with _running(build()):
        folder.files = {os.fsdecode(b"caf\xe9.csv"): NEW, "b": NEW}
        await clock.advance(30)

    (rejected,) = await inbox.list_events(outcome=EventOutcome.REJECTED)
    assert rejected.reason == "the name of the file is not UTF-8: caf\\xe9.csv"
    assert rejected.source_id == "caf\\xe9.csv"
    assert rejected.body == b"caf\xe9.csv"
    assert [job.payload["file_path"] for job in creator.jobs] == ["/in/b"]


async def test_a_file_that_the_creator_refuses_does_not_come_again(
    build: Build, folder: FakeFolder, clock: FakeClock, creator: RecordingJobCreator
) -> None:
    trigger = build()
    creator.fail_next(ValidationError("job_type: unknown"))
    async with _running(trigger):
        folder.files = {"a": NEW, "b": NEW}
        await clock.advance(30)

    assert [job.payload["file_path"] for job in creator.jobs] == ["/in/b"]
    assert trigger.get_health().rejected_count == 1
    assert trigger.get_health().errors_count == 0


async def test_a_folder_that_vanishes_is_waited_for(
    build: Build, folder: FakeFolder, clock: FakeClock, creator: RecordingJobCreator
) -> None:
    trigger = build()
    async with _running(trigger):
        folder.error = FileNotFoundError()
        await clock.advance(20)
        health = trigger.get_health()
        assert health.is_running
        assert health.state is TriggerState.BACKOFF
        assert health.last_error == "ExternalServiceError: the folder to watch does not exist: /in; create it"
        folder.error = None
        folder.files["a"] = NEW
        await clock.advance(60)
        assert trigger.get_health().state is TriggerState.RUNNING

    assert len(creator.jobs) == 1


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError(), "the folder to watch does not exist: /in; create it"),
        (NotADirectoryError(), "the path to watch is not a folder: /in"),
        (PermissionError(), r"the folder to watch cannot be read \(PermissionError\): /in"),
    ],
)
async def test_a_folder_that_cannot_be_watched_is_refused_at_start(
    build: Build, folder: FakeFolder, error: OSError, message: str
) -> None:
    trigger = build()
    folder.error = error

    with pytest.raises(ConfigurationError, match=message):
        await trigger.start()

    assert not trigger.is_running


async def test_a_lost_watch_is_told_once_and_files_are_found_all_the_same(
    build: Build, folder: FakeFolder, clock: FakeClock, creator: RecordingJobCreator
) -> None:
    trigger = build()
    with structlog.testing.capture_logs() as logs:
        async with _running(trigger):
            await clock.advance(60)
            folder.files["a"] = NEW
            await clock.advance(7)

    assert len(creator.jobs) == 1
    assert [line["error"] for line in logs if line["event"] == "folder_watch_lost"] == ["OSError"]
    assert trigger.get_health().errors_count == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"watch_path": ""}, "watch_path must not be empty"),
        ({"job_type": " "}, "job_type must be a text that is not blank, not ' '"),
        ({"queue_name": ""}, "queue_name must be a text that is not blank, not ''"),
        ({"priority": 2**31}, "priority must be an integer of at most 2147483647"),
        ({"settle_seconds": -1}, "settle_seconds must be 0 or more, not -1"),
        ({"settle_seconds": float("nan")}, "settle_seconds must be 0 or more, not nan"),
        ({"poll_interval_seconds": 0}, "poll_interval_seconds must be more than 0, not 0"),
        ({"existing": "leave"}, "existing must be one of 'ignore', 'take', not 'leave'"),
    ],
)
async def test_a_setting_that_cannot_work_is_refused_by_name(
    build: Build, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build(**options)


async def test_a_relative_folder_is_where_it_was_when_the_trigger_was_built(
    build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    assert build(watch_path="in").watch_path == tmp_path / "in"


async def test_the_store_given_by_the_composition_root_is_used(
    build: Build, folder: FakeFolder, clock: FakeClock, store: MemoryTriggerStore, inbox: MemoryEventInbox
) -> None:
    trigger = build(store=None, inbox=None)
    trigger.use(name="uploads", store=store, inbox=inbox)
    folder.files["a"] = NEW
    async with _running(trigger):
        await clock.advance(1)

    assert "file:a" in await store.entries("uploads")


class _running:  # noqa: N801 - reads as a verb
    def __init__(self, trigger: FileTrigger) -> None:
        self._trigger = trigger

    async def __aenter__(self) -> None:
        await self._trigger.start()

    async def __aexit__(self, *_: object) -> None:
        await self._trigger.stop()
