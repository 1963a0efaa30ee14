"""The Lua scripts: one file for each operation."""

from functools import cache
from hashlib import sha1
from importlib import resources
from types import MappingProxyType

_SHARED = "jobs"


@cache
def scripts() -> MappingProxyType[str, str]:
    """Return the text of every script by its name; what jobs share stands before each of theirs."""
    folder = resources.files(__package__).joinpath("lua")
    texts = {
        file.name.removesuffix(".lua"): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".lua")
    }
    shared = texts.pop(_SHARED)
    return MappingProxyType({name: shared + text if name.startswith("job_") else text for name, text in texts.items()})


@cache
def digest(name: str) -> str:
    """Return what the server knows the script by."""
    return sha1(scripts()[name].encode(), usedforsecurity=False).hexdigest()
