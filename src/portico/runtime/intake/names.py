"""Names that a stranger chose, fit for an error message and a log line."""

_MAX_SHOWN = 100


def shown(name: str) -> str:
    """Return the name as it is, or shortened and escaped where it is long or does not print."""
    cut = name if len(name) <= _MAX_SHOWN else f"{name[:_MAX_SHOWN]}..."
    return cut if cut.isprintable() else cut.encode("unicode_escape").decode("ascii")
