"""Paths as text: on disk they are bytes, in JSON they must be Unicode."""

import os


def is_text(path: str) -> bool:
    """Tell whether the path is UTF-8 on disk."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def escaped(path: str) -> str:
    r"""Return the path with what is not UTF-8 as ``\xe9``."""
    return os.fsencode(path).decode(errors="backslashreplace")
