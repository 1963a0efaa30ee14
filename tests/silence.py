"""No log of any test tells a secret, a signature or a piece of a body, whatever the level that is shown."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from typing_extensions import override

from portico.adapters.http import authentication
from portico.adapters.webhook_signature.secrets import Secret
from portico.utils.logging import _LibraryLogger

SHORTEST = 12
"""Texts that are shorter are also words."""
NEEDLE = "needle-in-the-body"
"""Stands in the bodies of deliveries."""
RECIPIENT = "user@example.com"
"""Stands in the payloads of jobs."""
_METHODS = frozenset({"debug", "info", "warning", "error", "exception", "critical"})


class Listener(logging.Handler):
    """Hears what is logged, by Portico and by others, and remembers where something was said that must not be."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._hidden = {NEEDLE, RECIPIENT}
        self.told: list[str] = []

    def hide(self, *texts: str) -> None:
        """Let these texts appear in no log until the test ends."""
        self._hidden.update(text for text in texts if len(text) >= SHORTEST)

    def forget(self) -> None:
        """Begin with another test."""
        self._hidden = {NEEDLE, RECIPIENT}
        self.told.clear()

    def hear(self, event: str, said: str) -> None:
        """Look for what is hidden in what was said."""
        if any(text in said for text in self._hidden):
            self.told.append(event)

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.hear(f"{record.name}: {record.msg}", record.getMessage())


LISTENER = Listener()


def hide(*texts: str) -> None:
    """Let these texts appear in no log until the test ends."""
    LISTENER.hide(*texts)


def _heard(method: Any) -> Any:
    def log(event: str, *values: Any, **fields: Any) -> Any:
        LISTENER.hear(event, f"{event} {values} {fields}")
        return method(event, *values, **fields)

    return log


class _HeardLogger:
    """A bound logger that is listened to."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def is_enabled_for(self, level: int) -> bool:
        return bool(self._logger.is_enabled_for(level))

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._logger, name)
        return _heard(attribute) if name in _METHODS else attribute


def _hiding_secret(init: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
    def init_hidden(secret: Any, text: str) -> None:
        init(secret, text)
        hide(text, text.removeprefix("whsec_"))

    return init_hidden


def _hiding_credentials(require: Callable[[str, Sequence[str]], None]) -> Callable[[str, Sequence[str]], None]:
    def require_hidden(field: str, values: Sequence[str]) -> None:
        require(field, values)
        hide(*values)

    return require_hidden


@pytest.fixture(scope="session", autouse=True)
def _listened_to() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        # before the level is looked at: what is not shown here is shown elsewhere
        method_of, bind = _LibraryLogger.__getattr__, _LibraryLogger.bind
        patch.setattr(_LibraryLogger, "__getattr__", lambda logger, name: _heard(method_of(logger, name)))
        patch.setattr(_LibraryLogger, "bind", lambda logger, **fields: _HeardLogger(bind(logger, **fields)))
        patch.setattr(Secret, "__init__", _hiding_secret(Secret.__init__))
        patch.setattr(authentication, "_require_secrets", _hiding_credentials(authentication._require_secrets))
        yield


@pytest.fixture(autouse=True)
def _nothing_hidden_is_told() -> Iterator[None]:
    LISTENER.forget()
    root = logging.getLogger()
    level = root.level
    root.addHandler(LISTENER)
    root.setLevel(logging.DEBUG)
    yield
    root.removeHandler(LISTENER)
    root.setLevel(level)
    assert LISTENER.told == [], "a secret, a signature or a piece of a body was logged"
