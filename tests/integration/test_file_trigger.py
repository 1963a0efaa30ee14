"""The file trigger on real folders, at real speed."""

import asyncio
import os
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from portico.adapters.file_system import watching
from portico.adapters.file_system.settling import Version
from portico.adapters.file_system.watched_folder import Sight, WatchedFolder
from portico.adapters.job_trigger.file_trigger import FileTrigger
from portico.exceptions import ConfigurationError
from portico.ports.job_trigger import TriggerState
from portico.testing import RecordingJobCreator

pytestmark = pytest.mark.asyncio

SETTLE_SECONDS = 0.15
LONG_SECONDS = 3600.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "in"
    path.mkdir()
    return path


@pytest.fixture
def creator() -> RecordingJobCreator:
    return RecordingJobCreator()


@pytest_asyncio.fixture
async def trigger(creator: RecordingJobCreator, folder: Path) -> AsyncIterator[FileTrigger]:
    """Return one that is running, and looks by itself five times a second."""
    trigger = FileTrigger(creator, folder, settle_seconds=SETTLE_SECONDS, poll_interval_seconds=0.2)
    await trigger.start()
    yield trigger
    await trigger.stop()


def _names(creator: RecordingJobCreator) -> list[str]:
    return [Path(job.payload["file_path"]).name for job in creator.jobs]


def _count_looks(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """Return a list to which each look at the folder adds its thread."""
    looks: list[threading.Thread] = []
    look = WatchedFolder.look

    def counted(watched: WatchedFolder, seen: Mapping[str, Version]) -> Sight:
        looks.append(threading.current_thread())
        return look(watched, seen)

    monkeypatch.setattr(WatchedFolder, "look", counted)
    return looks


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


async def _quiet() -> None:
    await asyncio.sleep(3 * SETTLE_SECONDS)


async def test_a_file_written_slowly_makes_one_job_when_it_is_complete(
    creator: RecordingJobCreator, folder: Path
) -> None:
    trigger = FileTrigger(creator, folder, settle_seconds=0.5, poll_interval_seconds=0.05)
    await trigger.start()
    try:
        with (folder / "slow.csv").open("w") as file:
            for _ in range(20):
                file.write("a line\n")
                file.flush()
                await asyncio.sleep(0.04)
        assert creator.jobs == []
        await _until(lambda: bool(creator.jobs))
        await _quiet()
    finally:
        await trigger.stop()
    assert [job.payload for job in creator.jobs] == [{"file_path": str(folder / "slow.csv")}]


async def test_the_operating_system_wakes_the_scan(creator: RecordingJobCreator, folder: Path) -> None:
    trigger = FileTrigger(creator, folder, settle_seconds=0.05, poll_interval_seconds=LONG_SECONDS)
    await trigger.start()
    try:
        (folder / "a").touch()
        await _until(lambda: len(creator.jobs) == 1)
        (folder / "new" / "nested").mkdir(parents=True)
        (folder / "new" / "nested" / "b").touch()
        await _until(lambda: len(creator.jobs) == 2)
        await _quiet()
        (folder / "new" / "nested" / "c").touch()
        await _until(lambda: len(creator.jobs) == 3)
    finally:
        await trigger.stop()


async def test_files_are_found_where_the_operating_system_tells_nothing(
    creator: RecordingJobCreator, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_watch(*_: object, **__: object) -> None:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr(watching, "watch", no_watch)
    trigger = FileTrigger(creator, folder, settle_seconds=0.05, poll_interval_seconds=0.1)
    await trigger.start()
    try:
        (folder / "a").touch()
        await _until(lambda: len(creator.jobs) == 1)
    finally:
        await trigger.stop()


async def test_a_file_renamed_from_a_temporary_name_needs_no_settling(
    creator: RecordingJobCreator, folder: Path
) -> None:
    trigger = FileTrigger(creator, folder, settle_seconds=LONG_SECONDS, poll_interval_seconds=0.1)
    await trigger.start()
    try:
        (folder / "a.tmp").write_text("whole")
        await asyncio.sleep(0.5)
        assert creator.jobs == []
        (folder / "a.tmp").rename(folder / "a.csv")
        await _until(lambda: bool(creator.jobs))
    finally:
        await trigger.stop()
    assert _names(creator) == ["a.csv"]


async def test_a_file_at_rest_that_is_moved_in_needs_no_settling(
    creator: RecordingJobCreator, folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "a.csv"
    elsewhere.write_text("whole")
    yesterday = time.time() - 86_400
    os.utime(elsewhere, (yesterday, yesterday))
    trigger = FileTrigger(creator, folder, settle_seconds=LONG_SECONDS, poll_interval_seconds=0.1)
    await trigger.start()
    try:
        elsewhere.rename(folder / "a.csv")
        await _until(lambda: bool(creator.jobs))
    finally:
        await trigger.stop()


async def test_a_rewritten_file_makes_another_job(
    trigger: FileTrigger, creator: RecordingJobCreator, folder: Path
) -> None:
    (folder / "a").write_text("one")
    await _until(lambda: len(creator.jobs) == 1)
    (folder / "a").write_text("two")
    await _until(lambda: len(creator.jobs) == 2)
    await _quiet()
    assert _names(creator) == ["a", "a"]


async def test_a_name_used_again_after_its_file_was_deleted_is_new(
    trigger: FileTrigger, creator: RecordingJobCreator, folder: Path
) -> None:
    (folder / "a").write_text("one")
    await _until(lambda: len(creator.jobs) == 1)
    (folder / "a").unlink()
    await _quiet()
    (folder / "a").write_text("one")
    await _until(lambda: len(creator.jobs) == 2)


async def test_hundreds_of_files_at_once_make_one_job_each(
    trigger: FileTrigger, creator: RecordingJobCreator, folder: Path
) -> None:
    for number in range(500):
        (folder / f"{number}").touch()

    await _until(lambda: len(creator.jobs) == 500)
    await _quiet()
    assert sorted(_names(creator)) == sorted(str(number) for number in range(500))


async def test_a_file_deleted_before_it_settled_makes_no_job(creator: RecordingJobCreator, folder: Path) -> None:
    trigger = FileTrigger(creator, folder, settle_seconds=0.5, poll_interval_seconds=0.05)
    await trigger.start()
    try:
        (folder / "a").touch()
        await asyncio.sleep(0.1)
        (folder / "a").unlink()
        await asyncio.sleep(0.6)
    finally:
        await trigger.stop()
    assert creator.jobs == []
    assert trigger.get_health().errors_count == 0


async def test_temporary_and_hidden_files_make_no_job(
    trigger: FileTrigger, creator: RecordingJobCreator, folder: Path
) -> None:
    for name in ("a.tmp", "b.part", "c~", ".d", ".hidden/e"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / "z").touch()

    await _until(lambda: bool(creator.jobs))
    await _quiet()
    assert _names(creator) == ["z"]


async def test_only_regular_files_inside_the_folder_count(
    trigger: FileTrigger, creator: RecordingJobCreator, folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").touch()
    (folder / "link").symlink_to(outside / "secret")
    (folder / "folder-link").symlink_to(outside, target_is_directory=True)
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "empty").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "z").touch()

    await _until(lambda: bool(creator.jobs))
    await _quiet()
    assert _names(creator) == ["z"]


async def test_what_happens_behind_a_symbolic_link_wakes_nobody(
    creator: RecordingJobCreator, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outside").mkdir()
    (folder / "link").symlink_to(tmp_path / "outside", target_is_directory=True)
    looks = _count_looks(monkeypatch)
    trigger = FileTrigger(creator, folder, poll_interval_seconds=LONG_SECONDS)
    await trigger.start()
    try:
        await _until(lambda: len(looks) == 2)  # the first, and the one that a new watch asks for
        (tmp_path / "outside" / "a").touch()
        await asyncio.sleep(0.6)
        assert len(looks) == 2
        (folder / "b").touch()
        await _until(lambda: len(looks) > 2)
    finally:
        await trigger.stop()


async def test_a_flat_trigger_leaves_folders_alone(creator: RecordingJobCreator, folder: Path) -> None:
    (folder / "sub").mkdir()
    trigger = FileTrigger(creator, folder, settle_seconds=0, recursive=False, patterns=["*.csv"])
    await trigger.start()
    try:
        (folder / "sub" / "a.csv").touch()
        (folder / "b.txt").touch()
        (folder / "c.csv").touch()
        await _until(lambda: bool(creator.jobs))
        await _quiet()
    finally:
        await trigger.stop()
    assert _names(creator) == ["c.csv"]


async def test_a_name_that_is_not_utf8_stops_nothing(
    trigger: FileTrigger, creator: RecordingJobCreator, folder: Path
) -> None:
    try:
        Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9")).touch()
    except OSError:
        pytest.skip("this file system holds only names in UTF-8")
    (folder / "z").touch()

    await _until(lambda: trigger.get_health().rejected_count == 1 and bool(creator.jobs))
    await _quiet()
    assert trigger.get_health().rejected_count == 1
    assert _names(creator) == ["z"]


async def test_a_folder_that_comes_back_is_watched_again(
    trigger: FileTrigger, creator: RecordingJobCreator, folder: Path
) -> None:
    shutil.rmtree(folder)
    await _until(lambda: trigger.get_health().state is TriggerState.BACKOFF)
    assert trigger.is_running
    folder.mkdir()
    (folder / "a").touch()
    await _until(lambda: bool(creator.jobs))
    assert trigger.get_health().state is TriggerState.RUNNING


async def test_a_missing_folder_and_a_file_are_refused_at_start_by_name(
    creator: RecordingJobCreator, folder: Path
) -> None:
    (folder / "file").touch()
    with pytest.raises(ConfigurationError, match=r"does not exist: .*/in/missing"):
        await FileTrigger(creator, folder / "missing").start()
    with pytest.raises(ConfigurationError, match=r"not a folder: .*/in/file"):
        await FileTrigger(creator, folder / "file").start()


async def test_a_large_folder_is_looked_at_beside_the_loop(
    creator: RecordingJobCreator, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = _count_looks(monkeypatch)
    trigger = FileTrigger(creator, folder, poll_interval_seconds=0.05)
    await trigger.start()
    await _until(lambda: len(looks) > 1)
    await trigger.stop()
    assert threading.main_thread() not in looks
