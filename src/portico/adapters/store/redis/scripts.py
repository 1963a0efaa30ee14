"""The Lua scripts: one file for each operation."""

from functools import cache
from hashlib import sha1
from importlib import resources
from types import MappingProxyType

_SHARED, _TRANSITIONS = "jobs", "transitions"


@cache
def scripts() -> MappingProxyType[str, str]:
    """Return the text of every script by its name; what jobs share stands before each of theirs.

    It is run with each call, so the insertion, whose callers wait for it one by one, has no more of it than it needs.
    """
    folder = resources.files(__package__).joinpath("lua")
    texts = {
        file.name.removesuffix(".lua"): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".lua")
    }
    shared, transitions = texts.pop(_SHARED), texts.pop(_TRANSITIONS)
    for name, text in texts.items():
        if name == "job_insert":
            texts[name] = shared + text
        elif name.startswith("job_"):
            texts[name] = shared + transitions + text
    return MappingProxyType(texts)


@cache
def digest(name: str) -> str:
    """Return what the server knows the script by."""
    return sha1(scripts()[name].encode(), usedforsecurity=False).hexdigest()
