"""An application that has jobs and does not start them: nothing fails, and nothing would happen either."""

import signal
from pathlib import Path

import pytest

from tests.e2e.application import Application

pytestmark = pytest.mark.e2e

PROGRAM = """
from fastapi import FastAPI
from portico import compose
jobs = compose.jobs("memory://")
app = FastAPI({lifespan})
"""


@pytest.mark.parametrize(("lifespan", "warnings"), [("", 1), ("lifespan=jobs.lifespan", 0)])
def test_jobs_that_the_application_does_not_start_are_warned_about(
    tmp_path: Path, lifespan: str, warnings: int
) -> None:
    program = tmp_path / "app.py"
    program.write_text(PROGRAM.format(lifespan=lifespan))
    with Application(program) as application:
        assert "Ctrl-C" in application.banner
        assert application.end(signal.SIGTERM) == 0
        application.until(lambda: bool(application.entries("draining")))
    assert len(application.entries("jobs_not_started")) == warnings
