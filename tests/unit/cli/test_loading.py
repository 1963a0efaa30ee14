"""Finding the user's application."""

import code
import sys
from pathlib import Path

import pytest

from portico.cli.exits import CommandError, ExitCode
from portico.cli.loading import load_application
from portico.compose import Jobs

COMPOSED = "from portico import compose\njobs = compose.jobs('memory://')\n"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path / f"program_{tmp_path.name.replace('-', '_')}.py"


def test_a_file_with_app_serves_it_and_knows_its_jobs(program: Path) -> None:
    program.write_text(COMPOSED + "from fastapi import FastAPI\napp = FastAPI(lifespan=jobs.lifespan)\n")
    application = load_application(str(program))
    assert type(application.served).__name__ == "FastAPI"
    assert isinstance(application.jobs, Jobs)


def test_a_file_without_app_serves_its_jobs(program: Path) -> None:
    program.write_text(COMPOSED)
    application = load_application(str(program))
    assert application.served is application.jobs


def test_a_module_and_attribute_serve_that(program: Path) -> None:
    program.write_text(COMPOSED.replace("jobs =", "mine ="))
    application = load_application(f"{program.stem}:mine")
    assert isinstance(application.served, Jobs)


def test_modules_beside_the_file_can_be_imported(program: Path) -> None:
    program.with_name(f"beside_{program.stem}.py").write_text(COMPOSED)
    program.write_text(f"from beside_{program.stem} import jobs\n")
    assert isinstance(load_application(str(program)).served, Jobs)


def test_a_file_of_a_package_may_import_relatively(program: Path) -> None:
    package = program.with_suffix("")
    (package / "web").mkdir(parents=True)
    for folder in (package, package / "web"):
        (folder / "__init__.py").touch()
    (package / "background.py").write_text(COMPOSED)
    (package / "web" / "main.py").write_text("from ..background import jobs\n")
    application = load_application(f"{package.name}/web/main.py")
    assert application.served is sys.modules[f"{package.name}.background"].jobs


def test_a_file_may_have_the_name_of_a_module_of_python(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "code", code)
    (folder := program.with_suffix("")).mkdir()
    (folder / "code.py").write_text(COMPOSED)
    assert isinstance(load_application(str(folder / "code.py")).served, Jobs)


def test_a_file_with_jobs_of_another_name_serves_them(program: Path) -> None:
    program.write_text(COMPOSED.replace("jobs =", "background ="))
    application = load_application(str(program))
    assert application.served is application.jobs is not None


@pytest.mark.parametrize(
    ("source", "said", "code"),
    [
        ("x = 1\n", "neither 'app' nor 'jobs'", ExitCode.NO_APPLICATION),
        ("import does_not_exist\n", "No module named 'does_not_exist'", ExitCode.NO_APPLICATION),
        ("def (\n", "SyntaxError", ExitCode.NO_APPLICATION),
        ("from portico import compose\njobs = compose.jobs('mysql://')\n", "supported are", ExitCode.CONFIGURATION),
    ],
)
def test_what_cannot_be_served_is_explained(program: Path, source: str, said: str, code: ExitCode) -> None:
    program.write_text(source)
    with pytest.raises(CommandError, match=said) as caught:
        load_application(str(program))
    assert caught.value.exit_code is code


def test_a_refused_setting_names_the_users_line_not_ours(program: Path) -> None:
    program.write_text("from portico import compose\n\njobs = compose.jobs('mysql://root:s3cret@db')\n")
    with pytest.raises(CommandError, match=rf"\n  at .*{program.name}:3$") as caught:
        load_application(str(program))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "first_lines"),
    [
        ("def (\n", '  File "{program}", line 1\n'),
        ("1 / 0\n", 'Traceback (most recent call last):\n  File "{program}", line 1'),
        ("import json\njson.loads('')\n", 'Traceback (most recent call last):\n  File "{program}", line 2'),
    ],
)
@pytest.mark.parametrize("as_module", [False, True], ids=["file", "module"])
def test_a_traceback_begins_in_the_users_code(program: Path, source: str, first_lines: str, *, as_module: bool) -> None:
    program.write_text(source)
    target = program.stem if as_module else str(program)
    with pytest.raises(CommandError) as caught:
        load_application(target)
    assert str(caught.value).startswith(f"{target} could not be imported\n" + first_lines.format(program=program))


def test_a_missing_module_within_a_package_is_told_from_one_that_the_users_code_lacks(program: Path) -> None:
    program.write_text("import no_such_module\n")
    for target, said in (
        ("no_such_module", "there is no module no_such_module"),
        ("no_such_package.app", "there is no module no_such_package.app"),
        (program.stem, "could not be imported\nTraceback"),
        (".", "neither a Python file nor a module: name one, such as app.py"),
        ("folder/app", "neither a Python file nor a module"),
    ):
        with pytest.raises(CommandError, match=said) as caught:
            load_application(target)
        assert caught.value.exit_code is ExitCode.NO_APPLICATION


def test_a_missing_file_a_missing_module_and_a_missing_name_are_named(program: Path) -> None:
    program.write_text(COMPOSED)
    for target, said in (
        ("nowhere/app.py", "there is no file nowhere/app.py"),
        ("no_such_module:jobs", "no_such_module"),
        (f"{program.stem}:other", "has no 'other'"),
    ):
        with pytest.raises(CommandError, match=said):
            load_application(target)
