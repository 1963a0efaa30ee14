"""The SQL statements, each in a file of its own, with the name of the schema filled in."""

from functools import cache
from importlib import resources


@cache
def statement(name: str, schema: str) -> str:
    """Return the statement for the tables in `schema`, which needs no quotes."""
    text = resources.files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    return text.replace("{schema}", schema)


@cache
def migrations(schema: str) -> tuple[str, ...]:
    """Return the scripts that lead from an empty schema to the newest version, the first makes version 1."""
    folder = resources.files(__package__).joinpath("sql", "migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return tuple(file.read_text(encoding="utf-8").replace("{schema}", schema) for file in files)
