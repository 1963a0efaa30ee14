"""The file trigger keeps the promises of every trigger."""

import shutil
from itertools import count
from pathlib import Path

import pytest
from typing_extensions import override

from portico.adapters.job_trigger.file_trigger import FileTrigger
from portico.ports.job_creator import JobCreator
from portico.ports.job_trigger import JobTrigger
from portico.testing.contracts.job_trigger import JobTriggerContract


class TestFileTrigger(JobTriggerContract):
    @pytest.fixture(autouse=True)
    def inbox(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.numbers = count(1)

    @override
    def make_trigger(self, job_creator: JobCreator) -> FileTrigger:
        return FileTrigger(job_creator, self.folder, "file.process", settle_seconds=0.05, poll_interval_seconds=0.2)

    @override
    def emit(self, trigger: JobTrigger) -> None:
        self.last = self.folder / f"{next(self.numbers)}.csv"
        self.last.write_text("a,b\n")

    @override
    def emit_again(self, trigger: JobTrigger) -> None:
        copy = self.folder / ".copy"
        shutil.copy2(self.last, copy)
        copy.replace(self.last)
