"""The reference pages name everything there is, and nothing else."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from portico import compose, exceptions
from portico.adapters.job_queue.database_queue import DatabaseJobQueueAdapter
from portico.cli.exits import ExitCode
from portico.cli.main import run
from portico.kits.job.job_definition import job
from portico.kits.job.worker_manager import WorkerManager
from tests.docs.pages import ROOT

PACKAGE = ROOT / "src" / "portico"
LEVELS = {"debug", "info", "warning", "error", "exception"}
GIVEN_BY_COMPOSE = {"job_queue", "handlers", "concurrency", "queues", "url", "clock"}


def _page(name: str) -> str:
    return (ROOT / "docs" / "reference" / name).read_text()


def _first_cells(text: str) -> list[str]:
    return re.findall(r"^\| ([^|]*) \|", text, flags=re.MULTILINE)


def _named_in(cells: list[str]) -> set[str]:
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def _section(text: str, heading: str) -> str:
    return text.split(f"\n{heading}\n")[1].split("\n#", maxsplit=1)[0]


def _parameters(function: object) -> set[str]:
    return set(inspect.signature(function).parameters) - {"self"}  # type: ignore[arg-type] # - classes and functions


def _logged_events() -> Iterator[str]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _is_logging(node.func):
                constants = (part for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant))
                yield from (part.value.replace("{}", "<kind>") for part in constants if isinstance(part.value, str))


def _is_logging(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr in LEVELS
        and isinstance(function.value, ast.Name)
        and function.value.id == "logger"
    )


def _text_constants(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.replace("{}", "<kind>")


def test_every_event_that_is_logged_is_documented() -> None:
    assert sorted(set(_logged_events()) - _named_in(_first_cells(_page("logging.md")))) == []


def test_every_documented_event_is_somewhere_in_the_code() -> None:
    there = {text for path in PACKAGE.rglob("*.py") for text in _text_constants(path)}

    assert sorted(_named_in(_first_cells(_page("logging.md"))) - there) == []


def test_the_errors_are_those_of_the_tree() -> None:
    classes = {
        name: cls
        for name, cls in vars(exceptions).items()
        if inspect.isclass(cls) and issubclass(cls, exceptions.PorticoError)
    }
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", _section(_page("errors.md"), "## The tree"), flags=re.MULTILINE)
    documented = {name: set(re.findall(r"\w+", bases)) for name, bases in rows}

    assert documented == {name: {base.__name__ for base in cls.__bases__} for name, cls in classes.items()}


def test_the_options_of_an_application_are_those_of_the_code() -> None:
    page = _page("configuration.md")

    composed = _section(page, "## `compose.jobs(url, ...)`")
    assert _parameters(compose.jobs) <= _named_in(_first_cells(composed))
    queue = _section(page, "### `queue_options`")
    assert _named_in(_first_cells(queue)) == _parameters(DatabaseJobQueueAdapter) - GIVEN_BY_COMPOSE
    worker = _section(page, "### `worker_options`")
    assert _named_in(_first_cells(worker)) == _parameters(WorkerManager) - GIVEN_BY_COMPOSE
    assert _named_in(_first_cells(_section(page, "## `@job(job_type, ...)`"))) == _parameters(job)


def test_the_members_of_an_application_exist() -> None:
    named = _named_in(_first_cells(_section(_page("configuration.md"), "## What `compose.jobs` returns")))
    members = {member for name in named for member in re.findall(r"^jobs\.(\w+)", name)}

    assert members
    assert [member for member in members if not hasattr(compose.jobs("memory://"), member)] == []


def test_the_options_and_exit_codes_of_the_command_are_those_of_the_code() -> None:
    section = _section(_page("configuration.md"), "## `portico run TARGET`")
    options = {f"--{name.replace('_', '-')}" for name in _parameters(run) - {"target"}}

    assert options <= _named_in(_first_cells(section))
    assert {int(cell) for cell in _first_cells(section) if cell.isdecimal()} == {int(code) for code in ExitCode}
