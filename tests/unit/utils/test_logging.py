"""Events with fields: for eyes on a terminal, for machines otherwise."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog
from typing_extensions import override

from portico.utils.logging import configure_logging, get_logger, is_enabled


class Terminal(io.StringIO):
    @override
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def structlog_as_it_was() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_a_pipe_gets_one_json_object_a_line() -> None:
    stream = io.StringIO()
    configure_logging(stream=stream)
    get_logger("portico.x").info("job_completed", job_id="1")
    entry = json.loads(stream.getvalue())
    assert {key: entry[key] for key in ("event", "job_id", "level", "logger_name")} == {
        "event": "job_completed",
        "job_id": "1",
        "level": "info",
        "logger_name": "portico.x",
    }
    assert entry["timestamp"].endswith("Z")
    assert list(entry)[:3] == ["timestamp", "level", "event"]


def test_a_terminal_gets_a_line_that_says_what_it_is_about_first_and_an_id_last() -> None:
    stream = Terminal()
    configure_logging(stream=stream)
    get_logger("portico.x").info("job_completed", job_id="1f", duration_ms=3, job_type="email.send", attempt=1)
    assert stream.getvalue().count("\n") == 1
    places = [stream.getvalue().index(part) for part in ("email.send", "duration_ms", "attempt", "1f")]
    assert places == sorted(places)
    assert "portico.x" not in stream.getvalue()


def test_a_library_that_nobody_configured_writes_warnings_only(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()
    logger = get_logger("portico.x")
    logger.info("job_completed")
    logger.bind(job_id="1").debug("job_created")
    assert capsys.readouterr().out == ""
    logger.bind(job_id="1").warning("job_failed")
    assert "job_failed" in capsys.readouterr().out


def test_a_level_that_a_server_has_added_does_no_harm() -> None:
    # as uvicorn does before it imports the application
    program = "import logging; logging.addLevelName(5, 'TRACE'); import portico.utils.logging"
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=30)


def test_a_level_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="level must be one of debug, info, warning, error, critical, not 'loud'"):
        configure_logging("loud")


def test_what_is_below_the_level_is_not_written() -> None:
    stream = io.StringIO()
    configure_logging("warning", stream=stream)
    get_logger("portico.x").info("job_completed")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR])
def test_a_logger_knows_what_would_be_written(level: int) -> None:
    stream = io.StringIO()
    configure_logging(logging.getLevelName(level), stream=stream)
    logger = get_logger("portico.x")
    for each in ("debug", "info", "warning", "error"):
        stream.truncate(0)
        getattr(logger, each)("job_%s", "completed")
        assert is_enabled(logger, logging.getLevelName(each.upper())) is ("job_completed" in stream.getvalue())


def test_a_logger_of_another_kind_is_asked_itself() -> None:
    stream = io.StringIO()
    configure_logging(stream=stream)
    structlog.configure(wrapper_class=structlog.BoundLogger, processors=[structlog.processors.JSONRenderer()])
    assert is_enabled(get_logger("portico.x"), logging.DEBUG)
    get_logger("portico.x").debug("job_created")
    assert "job_created" in stream.getvalue()


def test_a_traceback_shows_no_local_variables() -> None:
    stream = Terminal()
    configure_logging(stream=stream, json=False)
    password = "hunter2"  # noqa: F841 - it must not be shown
    try:
        raise OSError("down")  # noqa: TRY301 - a traceback is wanted
    except OSError as error:
        get_logger("portico.x").error("job_failed", exc_info=error)
    assert "OSError" in stream.getvalue()
    assert "hunter2" not in stream.getvalue().replace('password = "hunter2"', "")
