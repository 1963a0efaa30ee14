"""The ports need nothing but Python."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PORTS = Path(__file__).parents[2] / "src" / "portico" / "ports"
MODULES = sorted(path for path in PORTS.glob("*.py") if path.stem != "__init__")
ALLOWED = sys.stdlib_module_names | {"portico"}

LIST_WHAT_AN_IMPORT_LOADS = """
import sys
before = set(sys.modules)
__import__(sys.argv[1])
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_port_imports_only_the_standard_library_and_portico(path: Path) -> None:
    foreign = {name for name in _imported_by(path) if name.split(".")[0] not in ALLOWED}

    assert not foreign, f"{path.name} imports {', '.join(sorted(foreign))}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_importing_a_port_loads_only_the_standard_library_and_portico(path: Path) -> None:
    loaded = _loaded_by(f"portico.ports.{path.stem}")

    assert f"portico.ports.{path.stem}" in loaded
    foreign = {name.split(".")[0] for name in loaded} - ALLOWED
    assert not foreign, f"importing portico.ports.{path.stem} loads {', '.join(sorted(foreign))}"


def _imported_by(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."


def _loaded_by(module: str) -> set[str]:
    command = [sys.executable, "-I", "-c", LIST_WHAT_AN_IMPORT_LOADS, module]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
