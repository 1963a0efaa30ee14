"""The SQL statements, each in a file of its own."""

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TypeVar

Row = TypeVar("Row")

# few sizes, so that a batch of any length runs on statements that are prepared already
_CHUNK_SIZES = (256, 32, 8, 1)
_ROW = re.compile(r"/\*row\*/ (\((?:[^()]|\([^()]*\))*\))")


@cache
def statement(name: str, rows: int = 1) -> str:
    """Return the statement; what its file marks with ``/*row*/`` is there `rows` times."""
    text = resources.files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    return _ROW.sub(lambda row: ", ".join([row[1]] * rows), text)


@cache
def migrations() -> tuple[str, ...]:
    """Return the scripts that lead from an empty file to the newest schema, the first makes schema 1."""
    folder = resources.files(__package__).joinpath("sql", "migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return tuple(file.read_text(encoding="utf-8") for file in files)


def chunks(rows: Sequence[Row]) -> list[Sequence[Row]]:
    """Cut a batch into pieces of the few sizes that statements are prepared for."""
    if len(rows) <= 1:
        return [rows] if rows else []
    pieces: list[Sequence[Row]] = []
    start = 0
    for size in _CHUNK_SIZES:
        while len(rows) - start >= size:
            pieces.append(rows[start : start + size])
            start += size
    return pieces
