"""The Lua scripts: one file for each operation."""

from functools import cache
from hashlib import sha1
from importlib import resources
from types import MappingProxyType

# what stands before a script is run with each call of it, so none has more than it needs
_INSERTION = ("jobs", "insertion")
_TRANSITIONS = ("jobs", "slots", "transitions")
_CLAIMS = (*_TRANSITIONS, "lines")
_SHARED = frozenset({*_INSERTION, *_CLAIMS})
_BEFORE = MappingProxyType(
    {
        "job_insert": _INSERTION,
        "batch_apply": _INSERTION,
        "batch_rest": _INSERTION,
        "job_claim": _CLAIMS,
        "job_look": _CLAIMS,
    }
)


@cache
def scripts() -> MappingProxyType[str, str]:
    """Return the text of every script by its name, with what it shares with others before it."""
    folder = resources.files(__package__).joinpath("lua")
    texts = {
        file.name.removesuffix(".lua"): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".lua")
    }
    return MappingProxyType(
        {name: "".join(texts[part] for part in (*_parts_before(name), name)) for name in texts if name not in _SHARED}
    )


@cache
def digest(name: str) -> str:
    """Return what the server knows the script by."""
    return sha1(scripts()[name].encode(), usedforsecurity=False).hexdigest()


def _parts_before(name: str) -> tuple[str, ...]:
    return _BEFORE.get(name, _TRANSITIONS if name.startswith("job_") else ())
