"""The plain install imports every module; an extra is asked for when something is built that needs it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ADAPTERS = sorted((ROOT / "src" / "portico" / "adapters").rglob("*.py"))
OPTIONAL = (
    "aio_pika",
    "aiormq",
    "aiosqlite",
    "asyncpg",
    "cryptography",
    "hiredis",
    "jsonschema",
    "redis",
    "sqlalchemy",
)

IMPORT_WITHOUT_EXTRAS = f"""
import importlib, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {OPTIONAL!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
failed = 0
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        failed += 1
        print(f"{{module}}: {{error}}")
sys.exit(failed)
"""


def test_every_adapter_module_imports_without_its_extra() -> None:
    modules = [_module_name(path) for path in ADAPTERS]

    run = subprocess.run(
        [sys.executable, "-c", IMPORT_WITHOUT_EXTRAS, *modules], capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    "package", ["aio-pika", "aiosqlite", "asyncpg", "cryptography", "jsonschema", "redis", "sqlalchemy"]
)
def test_no_optional_package_is_in_the_plain_install(package: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert not [line for line in project["dependencies"] if line.startswith(package)]


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
