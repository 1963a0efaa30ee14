"""The queue in an SQLite file does what the one in memory does."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.ports.job_queue import JobQueueAdapter
from portico.testing.contracts import QueueModel
from tests.models import run_model


class SqliteModel(QueueModel):
    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="portico-model-")

    @override
    def make_queue(self, **options: Any) -> JobQueueAdapter:
        self._options = options
        return DatabaseJobQueueAdapter(f"sqlite:///{Path(self._folder.name)}/jobs.db", **options)

    @override
    def reopen_queue(self, queue: JobQueueAdapter) -> JobQueueAdapter:
        return self.make_queue(**self._options)

    @override
    def teardown(self) -> None:
        super().teardown()
        self._folder.cleanup()


def test_the_sqlite_queue_answers_as_the_one_in_memory() -> None:
    run_model(SqliteModel, examples=20, steps=30)


@pytest.mark.soak
def test_the_sqlite_queue_answers_as_the_one_in_memory_at_length() -> None:
    run_model(SqliteModel, examples=500, steps=60)
