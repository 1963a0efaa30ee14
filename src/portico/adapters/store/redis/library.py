"""The Lua functions: one file for each operation, all in one library that the server keeps."""

from functools import cache
from hashlib import sha1
from importlib import resources

# what the operations share, each part after those that it needs; the last one starts every call
_SHARED = ("jobs", "slots", "transitions", "lines", "insertion", "begin")
# what a server out of memory refuses: all else ends jobs, hands them on, or reads
_ADDING = frozenset({"batch_stage", "event_record", "job_insert", "rate_acquire", "trigger_put"})
_READING = frozenset({"batch_rest", "job_aborts", "job_get", "job_list", "job_stats"})


@cache
def library() -> str:
    """Return the text of the library."""
    return _library(_name())


@cache
def function(operation: str) -> str:
    """Return what the server knows the operation by."""
    return f"{_name()}_{operation}"


@cache
def _name() -> str:
    # another text has another name, so that versions live side by side
    return f"portico_{sha1(_library('portico').encode(), usedforsecurity=False).hexdigest()[:16]}"


def _library(name: str) -> str:
    folder = resources.files(__package__).joinpath("lua")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".lua")), key=lambda file: file.name)
    texts = {file.name.removesuffix(".lua"): file.read_text(encoding="utf-8") for file in files}
    shared = [texts.pop(part) for part in _SHARED]
    return "".join((f"#!lua name={name}\n", *shared, *(_registered(name, *each) for each in texts.items())))


def _registered(name: str, operation: str, text: str) -> str:
    flag = "" if operation in _ADDING else "'no-writes'" if operation in _READING else "'allow-oom'"
    return (
        f"redis.register_function{{function_name = '{name}_{operation}', flags = {{{flag}}}, "
        f"callback = function(KEYS, ARGV)\nbegin(KEYS, ARGV)\n{text}end}}\n"
    )
