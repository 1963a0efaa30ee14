"""What the packages promise by name, at run time and to type checkers."""

import ast
import importlib
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"


@pytest.mark.parametrize("package", ["portico", "portico.kits.job"])
def test_a_type_checker_sees_what_can_be_imported(package: str) -> None:
    module = importlib.import_module(package)
    stub = ast.parse((SOURCE / package.replace(".", "/") / "__init__.pyi").read_text())
    stubbed = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert stubbed == set(module.__all__)
    assert all(getattr(module, name) is not None for name in module.__all__)


def test_an_unknown_name_is_an_attribute_error_that_has_it() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        importlib.import_module("portico").nonsense  # noqa: B018 - reading it is the test
