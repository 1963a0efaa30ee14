"""What holds for every module of the package."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "portico"
MODULES = sorted(PACKAGE.rglob("*.py"))
LINES_AT_MOST = 400
# lists of settings: long because there is much to set, not because they do much
TABLES_AND_CONFIGURATION = {"config.py"}


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", [path for path in MODULES if _name(path) not in TABLES_AND_CONFIGURATION], ids=_name)
def test_a_module_stays_under_the_cap(path: Path) -> None:
    lines = len(path.read_text().splitlines())

    assert lines <= LINES_AT_MOST, f"{_name(path)} has {lines} lines: it holds more than one idea"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_import_hides_behind_type_checking(path: Path) -> None:
    names = {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name | ast.Attribute)
    }

    assert "TYPE_CHECKING" not in names, f"{_name(path)} has an import that only the type checker sees"
