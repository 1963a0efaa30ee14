"""Options that are passed on: one that nobody would take is refused where it is written."""

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from portico.exceptions import ConfigurationError

_OUR_OWN = frozenset({"url", "clock", "job_queue", "handlers", "queues"})


def passed_on(name: str, options: Mapping[str, Any], taker: Callable[..., object]) -> dict[str, Any]:
    """Return the options, which are keywords of `taker`.

    Raises:
        ConfigurationError: one of them is not, or is for `compose.jobs` to give.

    """
    known = [each for each in inspect.signature(taker).parameters if each not in _OUR_OWN]
    for option in options:
        if option not in known:
            raise ConfigurationError(f"{name} has {option!r}; {_way_out(option, known, taker.__name__)}")
    return dict(options)


def names_of(queues: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the names of queues; None, which asks for the queues that something names, stays None.

    Raises:
        ConfigurationError: it is no list, or a name is empty.

    """
    if queues is None:
        return None
    # a text is a sequence of texts too
    if isinstance(queues, str) or not queues or not all(queues):
        raise ConfigurationError(f"queues must be a list of names, not {queues!r}")
    return tuple(queues)


def _way_out(option: str, known: list[str], taker: str) -> str:
    nearest = difflib.get_close_matches(option, known, n=1)
    # what begins alike is near too, however much is missing at its end
    nearest += [each for each in known if each.startswith(f"{option}_")]
    return f"did you mean {nearest[0]!r}?" if nearest else f"{taker} takes {', '.join(known)}"
