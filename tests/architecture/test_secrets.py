"""Secrets are compared in constant time, bodies are verified as they came, and neither is logged."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ADAPTERS = Path(__file__).parents[2] / "src" / "portico" / "adapters"
MODULES = sorted(
    path for folder in ("webhook_signature", "http", "job_trigger") for path in (ADAPTERS / folder).rglob("*.py")
)
SECRET = re.compile(r"secret|token|signature|digest|\bmac\b|_mac\b|passw|credential", re.IGNORECASE)
# what a name may be about without being one
HARMLESS = re.compile(r"count|length|len|_name$|_header$|format|_bytes$|is_|prefix", re.IGNORECASE)
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
NEVER_LOGGED = re.compile(r"body|payload|headers|secret$|token$|signature$|credentials$", re.IGNORECASE)


def _name(path: Path) -> str:
    return path.relative_to(ADAPTERS).as_posix()


def _names(node: ast.expr) -> Iterator[str]:
    """Return what an operand is called: `a` for ``a``, ``x.a``, ``a[0]`` and ``a()``."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Subscript):
        yield from _names(node.value)
    elif isinstance(node, ast.Call) and not isinstance(node.func, ast.Name):
        yield from _names(node.func)


def _compared(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        if not any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops):
            continue
        for operand in (node.left, *node.comparators):
            for name in _names(operand):
                if SECRET.search(name) and not HARMLESS.search(name):
                    yield node.lineno, name


@pytest.mark.webhook_case(127)
@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_secret_is_compared_with_an_operator(path: Path) -> None:
    assert list(_compared(ast.parse(path.read_text()))) == []


def test_a_comparison_of_a_secret_is_found() -> None:
    source = "if self._secret == given.signature() or a != digest[0] or names[0] == secret_name: ..."

    assert [name for _, name in _compared(ast.parse(source))] == ["_secret", "signature", "digest"]


def _logged(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
            for keyword in node.keywords:
                for name in (keyword.arg or "", *_names(keyword.value)):
                    if NEVER_LOGGED.search(name):
                        yield node.lineno, name


@pytest.mark.webhook_case(117)
@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_log_line_is_given_a_secret_or_a_body(path: Path) -> None:
    assert list(_logged(ast.parse(path.read_text()))) == []


VERIFIERS = sorted((ADAPTERS / "webhook_signature").glob("*.py"))


@pytest.mark.webhook_case(127)
@pytest.mark.parametrize("path", VERIFIERS, ids=_name)
def test_what_is_verified_was_never_written_anew(path: Path) -> None:
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    writing = {
        function.name
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and node.attr == "dumps"
    }

    # signing makes a body; verifying takes the one that came
    assert writing <= {"sign"}
