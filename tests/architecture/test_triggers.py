"""A trigger is five touches; the test that fails names the one that is missing."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from portico.compose import TRIGGER_DEFAULT_NAMES

ROOT = Path(__file__).parents[2]
TRIGGERS = ROOT / "src" / "portico" / "adapters" / "job_trigger"
NAMES = sorted(path.stem.removesuffix("_trigger") for path in TRIGGERS.glob("*_trigger.py"))


@pytest.mark.parametrize("name", NAMES)
def test_a_trigger_is_complete(name: str) -> None:
    missing = list(_missing_touches(name))

    assert not missing, f"the {name} trigger lacks: " + "; ".join(missing)


def test_a_trigger_that_is_only_planned_lacks_everything() -> None:
    missing = list(_missing_touches("carrier_pigeon"))

    assert missing == [
        "src/portico/adapters/job_trigger/carrier_pigeon_trigger.py",
        "a row for 'carrier_pigeon' in portico.compose.TRIGGER_DEFAULT_NAMES",
        "tests/contract/test_carrier_pigeon_trigger.py",
        "docs/triggers/carrier_pigeon.md",
    ]


def _missing_touches(name: str) -> Iterator[str]:
    module = TRIGGERS / f"{name}_trigger.py"
    if not module.exists():
        yield _shown(module)
    if name not in TRIGGER_DEFAULT_NAMES.values():
        yield f"a row for '{name}' in portico.compose.TRIGGER_DEFAULT_NAMES"
    for package in sorted(_foreign_packages(module) - _declared_packages()):
        yield f"an extra in pyproject.toml with {package}, which {module.name} imports"
    for path in (
        ROOT / "tests" / "contract" / f"test_{name}_trigger.py",
        ROOT / "docs" / "triggers" / f"{name}.md",
    ):
        if not path.exists():
            yield _shown(path)


def _shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _foreign_packages(module: Path) -> set[str]:
    if not module.exists():
        return set()
    tree = ast.parse(module.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    top_level = {name.split(".")[0] for name in imported} - sys.stdlib_module_names - {"portico"}
    distributions = packages_distributions()
    return {_normal(distributions.get(name, [name])[0]) for name in top_level}


def _declared_packages() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for name in extras if name != "dev" for line in extras[name])]
    return {_normal(re.split(r"[^\w.-]", line)[0]) for line in lines}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
