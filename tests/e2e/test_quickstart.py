"""The quickstart, used as its first reader would: a real process, real requests, a real kill."""

import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from portico.cli.stop_signals import SAME_REQUEST_SECONDS
from tests.e2e.application import Application, copy_quickstart

pytestmark = pytest.mark.e2e


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return copy_quickstart(tmp_path)


@pytest.fixture
def application(program: Path) -> Iterator[Application]:
    with Application(program, "--log-level", "debug") as application:
        yield application


def test_three_kinds_of_event_become_executed_jobs(application: Application, tmp_path: Path) -> None:
    answer = _run_curl(application.curl)
    assert "job_id" in answer
    (tmp_path / "inbox" / "people.csv").write_text("name,age\nada,36\ngrace,85\n")
    assert application.until_logged("csv_imported")["rows"] == 2
    assert application.until_logged("csv_imported")["file"] == "people.csv"
    application.until_logged("email_sent")
    application.until_logged("outbox_counted")
    for job_type in ("email.send", "csv.import", "outbox.count"):
        completed = application.until_logged("job_completed", job_type=job_type)
        assert completed["job_id"]
        assert completed["duration_ms"] >= 0
    health = httpx.get(f"{application.address}/health/triggers").json()
    assert {name: state["is_running"] for name, state in health.items()} == dict.fromkeys(
        ("webhook", "schedule", "file"), True
    )
    assert [health[name]["jobs_created_count"] for name in ("webhook", "file")] == [1, 1]


def test_the_banner_names_everything_that_is_served(application: Application) -> None:
    for part in ("sqlite:///", "email.send", "csv.import", "outbox.count", "webhook", "schedule", "file", "next in"):
        assert part in application.banner


def test_a_job_that_was_running_at_a_kill_is_finished_by_the_next_start(program: Path, tmp_path: Path) -> None:
    with Application(program, "--log-level", "debug") as first:
        job_id = _post_email(first, seconds=1.0)
        first.until_logged("job_started", job_id=job_id)
        first.process.kill()
        assert first.process.wait() == -signal.SIGKILL
        completed_before = first.entries("job_completed", job_id=job_id)
    with Application(program) as second:
        assert second.until_logged("jobs_recovered")["count"] == 1
        completed = second.until_logged("job_completed", job_id=job_id)
        assert completed["attempt"] == 2
        time.sleep(1.5)
        assert len(completed_before) + len(second.entries("job_completed", job_id=job_id)) == 1
    assert (tmp_path / "outbox" / f"{job_id}.txt").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_and_ends_with_exit_code_0(application: Application, number: signal.Signals) -> None:
    job_id = _post_email(application, seconds=1.0)
    application.until_logged("job_started", job_id=job_id)
    assert application.end(number) == 0
    assert application.entries("job_completed", job_id=job_id)


def test_a_second_signal_forces_the_end(application: Application) -> None:
    job_id = _post_email(application, seconds=60)
    application.until_logged("job_started", job_id=job_id)
    application.send(signal.SIGINT)
    application.until_logged("draining")
    time.sleep(SAME_REQUEST_SECONDS)
    assert application.end(signal.SIGINT) == 130


def test_a_signal_that_a_wrapper_delivers_twice_drains(application: Application) -> None:
    job_id = _post_email(application, seconds=1.0)
    application.until_logged("job_started", job_id=job_id)
    # two that are alike and not yet taken would be one for the system already
    application.send(signal.SIGINT)
    assert application.end(signal.SIGTERM) == 0
    assert application.entries("job_completed", job_id=job_id)


def test_a_taken_port_is_said_in_one_line_that_names_the_way_out(application: Application, program: Path) -> None:
    port = application.address.rpartition(":")[2]
    result = _run_portico("run", str(program), "--port", port)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: cannot listen on 127.0.0.1:{port}: Address already in use; try")
    assert "Traceback" not in result.stderr


def test_a_csv_that_arrived_while_nothing_ran_is_found_at_the_next_start(program: Path, tmp_path: Path) -> None:
    with Application(program) as first:
        first.banner  # noqa: B018 - waits until it serves
        assert first.end(signal.SIGTERM) == 0
    (tmp_path / "inbox" / "late.csv").write_text("name\nada\n")
    with Application(program) as second:
        assert second.until_logged("csv_imported")["file"] == "late.csv"


def _post_email(application: Application, *, seconds: float) -> str:
    body: dict[str, Any] = {"job_type": "email.send", "payload": {"recipient": "ada@example.com", "seconds": seconds}}
    response = httpx.post(f"{application.address}/webhooks/jobs", json=body)
    assert response.status_code == 202, response.text
    return str(response.json()["job_id"])


def _run_curl(command: str) -> str:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    result = subprocess.run([*shlex.split(command), "--silent"], capture_output=True, text=True, check=True, timeout=20)
    return result.stdout


def _run_portico(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "portico"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
