"""The mistakes of the first ten minutes: each ends with one line that names the thing, and a code for scripts."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

IMPORTS = """
from portico import compose
from portico.adapters.job_trigger.file_trigger import FileTrigger
from portico.adapters.job_trigger.rabbitmq_trigger import RabbitMQTrigger
from portico.adapters.job_trigger.schedule_trigger import ScheduleConfig
jobs = compose.jobs("sqlite:///jobs.db")
"""
BROKEN_LIFESPAN = """
from contextlib import asynccontextmanager
from fastapi import FastAPI
@asynccontextmanager
async def lifespan(app):
    raise RuntimeError("no database")
    yield
app = FastAPI(lifespan=lifespan)
"""


@pytest.mark.parametrize(
    ("program", "said", "code"),
    [
        ("", "app.py has neither 'app' nor 'jobs'", 4),
        ("import nonsense", "No module named 'nonsense'", 4),
        ("from fastapi import FastAPI\napp = FastAPI", "app.py serves the class FastAPI, which is no application", 4),
        ("app = 3", "app.py serves an object of the type int, which is no application", 4),
        (f"{IMPORTS}ScheduleConfig(cron='61 * * * *', job_type='x')", "cron '61 * * * *': minute has the item '61'", 3),
        (
            f"{IMPORTS}ScheduleConfig(cron='* * * * *', job_type='x', timezone='Mars')",
            "timezone 'Mars' is not known",
            3,
        ),
        (f"{IMPORTS}compose.jobs('mysql://root:s3cret@h/x')", "unknown store 'mysql:'; supported are memory://", 3),
        (f"{IMPORTS}compose.jobs('memory://', handlers=[print])", "is no handler: pass a JobHandler", 3),
        (f"{IMPORTS}jobs.add(FileTrigger(jobs.creator, 'inbox', 'x'))", "inbox; create it", 3),
        (
            f"{IMPORTS}jobs.add(RabbitMQTrigger(jobs.creator, 'amqp://u:s3cret@127.0.0.1:1/', 'q', {{'a': 'b'}}))",
            "trigger 'rabbitmq' could not start",
            5,
        ),
    ],
)
def test_a_mistake_in_the_program_is_named(tmp_path: Path, program: str, said: str, code: int) -> None:
    (tmp_path / "app.py").write_text(program)
    result = run(tmp_path, "app.py")
    assert said in result.stderr
    assert result.returncode == code
    assert "s3cret" not in result.stderr + result.stdout
    if "nonsense" not in program:
        assert "Traceback" not in result.stderr


def test_an_error_of_a_lifespan_is_shown_from_the_users_line_on(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(BROKEN_LIFESPAN)
    result = run(tmp_path, "app.py")
    head, title, place, *_ = result.stderr.splitlines()
    assert (head, title) == ("error: the application could not start", "Traceback (most recent call last):")
    assert place.strip() == f'File "{tmp_path}/app.py", line 6, in lifespan'
    assert result.stderr.endswith("RuntimeError: no database\n")
    assert result.returncode == 1


def test_a_store_that_is_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "jobs.db").write_bytes(b"no database at all " * 500)
    (tmp_path / "app.py").write_text(IMPORTS)
    result = run(tmp_path, "app.py")
    assert f"error: SQLite file {tmp_path}/jobs.db" in result.stderr
    assert result.returncode == 5
    assert (tmp_path / "jobs.db").read_bytes().startswith(b"no database at all")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    result = run(tmp_path, "nowhere.py")
    assert (result.stderr, result.returncode) == ("error: there is no file nowhere.py\n", 4)


@pytest.mark.parametrize(
    "arguments",
    [("--log-level", "loud"), ("--log-format", "xml"), ("--port", "seven"), ("--port", "99999"), ("--host", "")],
)
def test_a_wrong_argument_is_a_usage_error(tmp_path: Path, arguments: tuple[str, str]) -> None:
    (tmp_path / "app.py").write_text(IMPORTS)
    result = run(tmp_path, "app.py", *arguments)
    assert arguments[0] in result.stderr
    assert result.returncode == 2


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "portico"), "run", "--port", "0", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=30)
