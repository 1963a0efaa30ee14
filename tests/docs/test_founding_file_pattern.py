"""The founding document, pattern 3: a file system trigger, as a listing on the port and as the package's own."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from portico.adapters.job_trigger import file_trigger
from portico.kits.job.job_service import JobService
from portico.ports.job_creator import JobCreator
from portico.ports.job_trigger import JobTrigger
from tests.docs.running import jobs_of, running, until_jobs


class FileTrigger(JobTrigger):
    """Trigger that creates jobs when files are added to a directory."""

    def __init__(
        self, job_creator: JobCreator, watch_path: Path, job_type: str, queue_name: str = "file_processing"
    ) -> None:
        self.job_creator = job_creator
        self.watch_path = watch_path
        self.job_type = job_type
        self.queue_name = queue_name
        self._observer: Any = None
        self._running = False

    @override
    async def start(self) -> None:
        if self._running:
            return
        self._running = True
        event_handler = FileCreatedHandler(self.job_creator, self.job_type, self.queue_name, asyncio.get_running_loop())
        self._observer = Observer()
        self._observer.schedule(event_handler, str(self.watch_path), recursive=True)
        self._observer.start()

    @override
    async def stop(self) -> None:
        if not self._running:
            return
        self._running = False
        self._observer.stop()
        await asyncio.to_thread(self._observer.join)

    @property
    @override
    def is_running(self) -> bool:
        return self._running


class FileCreatedHandler(FileSystemEventHandler):
    """Handler that creates jobs for new files."""

    def __init__(
        self, job_creator: JobCreator, job_type: str, queue_name: str, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.job_creator = job_creator
        self.job_type = job_type
        self.queue_name = queue_name
        self.loop = loop

    @override
    def on_created(self, event: FileSystemEvent) -> None:
        if not event.is_directory:
            # the observer calls from a thread of its own, where the loop's functions must not be used
            asyncio.run_coroutine_threadsafe(
                self.job_creator.create_job(
                    job_type=self.job_type,
                    payload={"file_path": str(event.src_path)},
                    queue_name=self.queue_name,
                ),
                self.loop,
            )


pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.parametrize("file_trigger_class", [FileTrigger, file_trigger.FileTrigger], ids=["listing", "package"]),
]

MakeFileTrigger = Callable[..., JobTrigger]


async def test_an_uploaded_file_becomes_a_job(
    file_trigger_class: MakeFileTrigger, job_service: JobService, tmp_path: Path
) -> None:
    trigger = file_trigger_class(
        job_creator=job_service, watch_path=tmp_path, job_type="file.process", queue_name="file_processing"
    )

    async with running(trigger):
        (tmp_path / "upload.csv").write_text("id\n1\n")
        (job,) = await until_jobs(job_service, 1)

    assert job.job_type == "file.process"
    assert job.payload == {"file_path": str(tmp_path / "upload.csv")}
    assert job.queue_name == "file_processing"


async def test_files_in_folders_below_are_found_and_folders_are_no_events(
    file_trigger_class: MakeFileTrigger, job_service: JobService, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    trigger = file_trigger_class(job_creator=job_service, watch_path=tmp_path, job_type="file.process")

    async with running(trigger):
        (tmp_path / "empty folder").mkdir()
        (folder / "upload.csv").write_text("id\n1\n")
        jobs = await until_jobs(job_service, 1)

    assert [job.payload["file_path"] for job in jobs] == [str(folder / "upload.csv")]


async def test_a_file_after_the_stop_is_left_alone(
    file_trigger_class: MakeFileTrigger, job_service: JobService, tmp_path: Path
) -> None:
    trigger = file_trigger_class(job_creator=job_service, watch_path=tmp_path, job_type="file.process")

    async with running(trigger):
        await trigger.start()
    (tmp_path / "upload.csv").write_text("id\n1\n")
    await asyncio.sleep(0.2)

    assert not trigger.is_running
    assert await jobs_of(job_service) == []
