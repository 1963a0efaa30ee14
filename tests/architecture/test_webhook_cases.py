"""Each line of the table of webhook cases has a test, where its letters say so on real servers."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]


def _table() -> dict[int, frozenset[str]]:
    lines = (TESTS / "webhook_cases.txt").read_text().splitlines()
    found = [re.fullmatch(r"(\d+) +([VPR]*) +\S.*", line) for line in lines if line and not line.startswith("#")]
    return {int(line[1]): frozenset(line[2]) for line in found if line is not None}


def _marks() -> Iterator[tuple[int, str]]:
    """Yield each number that is marked, with each letter of where its test runs, or ''."""
    for path in TESTS.rglob("test_*.py"):
        text = path.read_text()
        if "webhook_case" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "webhook_case":
                letters = [keyword.value.value for keyword in node.keywords if isinstance(keyword.value, ast.Constant)]
                for number in node.args:
                    assert isinstance(number, ast.Constant)
                    yield from ((int(str(number.value)), letter) for letter in ["", *"".join(map(str, letters))])


def test_each_case_has_a_test_where_it_must() -> None:
    shown = defaultdict(set)
    for number, letter in _marks():
        shown[number].add(letter)

    missing = {number: {"", *letters} - shown[number] for number, letters in _table().items()}
    assert {number: lacking for number, lacking in missing.items() if lacking} == {}


def test_no_test_shows_a_case_that_there_is_not() -> None:
    assert {number for number, _ in _marks()} - _table().keys() == set()


def test_the_table_is_complete() -> None:
    assert sorted(_table()) == [number for number in range(1, 129) if number not in {4, 114}]
