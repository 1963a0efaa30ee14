"""Which handler runs which type of job."""

import difflib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType

from typing_extensions import override

from portico.exceptions import ConfigurationError, UnknownJobTypeError
from portico.kits.job.job_definition import JobDefinition
from portico.kits.job.job_factory import DEFAULT_MAX_RETRIES
from portico.ports.job_handler import JobHandler

Handlers = Mapping[str, JobHandler] | Iterable[JobHandler | ModuleType]
"""Handlers by job type, or a list of handlers, definitions and modules that hold some."""

_MAX_SHOWN = 100


class HandlerRegistry(Mapping[str, JobHandler]):
    """The handlers by job type; two of one type are refused, with both places."""

    def __init__(self, handlers: Handlers = ()) -> None:
        self._handlers: dict[str, JobHandler] = {}
        for job_type, handler in _pairs(handlers):
            self._add(job_type, handler)

    @override
    def __getitem__(self, job_type: str) -> JobHandler:
        return self._handlers[job_type]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._handlers)

    @override
    def __len__(self) -> int:
        return len(self._handlers)

    def require(self, job_type: str) -> JobHandler:
        """Return the handler.

        Raises:
            UnknownJobTypeError: there is none; the message has the nearest name.

        """
        handler = self._handlers.get(job_type)
        if handler is None:
            nearest = self.nearest(job_type)
            hint = f"; did you mean {nearest!r}?" if nearest else ""
            message = f"unknown job type {job_type!r:.{_MAX_SHOWN}}{hint}"
            raise UnknownJobTypeError(message)
        return handler

    def nearest(self, job_type: str) -> str | None:
        """Return the type that may be meant by one that has no handler, if there is such."""
        # what comes from outside may be long, and comparing is slow
        return next(iter(difflib.get_close_matches(job_type[:_MAX_SHOWN], self._handlers, n=1)), None)

    def max_retries(self, job_type: str) -> int:
        """Return how often a job of this type is retried when its creator does not say."""
        handler = self._handlers.get(job_type)
        return handler.options.max_retries if isinstance(handler, JobDefinition) else DEFAULT_MAX_RETRIES

    def queue_names(self) -> list[str]:
        """Return the queues that the definitions name, each once."""
        definitions = (handler for handler in self._handlers.values() if isinstance(handler, JobDefinition))
        return list(dict.fromkeys(definition.options.queue_name for definition in definitions))

    def _add(self, job_type: str, handler: JobHandler) -> None:
        first = self._handlers.setdefault(job_type, handler)
        if first is not handler:
            message = f"two handlers for job type {job_type!r}: {_place(first)} and {_place(handler)}"
            raise ConfigurationError(message)


def _pairs(handlers: Handlers) -> Iterator[tuple[str, JobHandler]]:
    if isinstance(handlers, Mapping):
        for job_type, handler in handlers.items():
            yield job_type, _require_handler(handler)
        return
    _require_list(handlers)
    for element in handlers:
        for handler in _handlers_in(element):
            yield handler.job_type, handler


def _handlers_in(element: JobHandler | ModuleType) -> list[JobHandler]:
    if not isinstance(element, ModuleType):
        return [_require_handler(element)]
    found = [value for value in vars(element).values() if isinstance(value, JobHandler)]
    if not found:
        message = f"module {element.__name__!r} holds no handlers"
        raise ConfigurationError(message)
    return found


def _require_list(handlers: object) -> None:
    if isinstance(handlers, str) or not isinstance(handlers, Iterable):
        message = f"handlers must be a list of handlers, or a mapping from job type to handler, not {handlers!r}"
        raise ConfigurationError(message)


def _require_handler(value: object) -> JobHandler:
    if isinstance(value, JobHandler):
        return value
    if isinstance(value, type) and issubclass(value, JobHandler):
        message = f"{value.__name__} is a class: pass an instance of it"
        raise ConfigurationError(message)
    message = f"{value!r} is no handler: pass a JobHandler, a function with @job, or a module that holds some"
    raise ConfigurationError(message)


def _place(handler: JobHandler) -> str:
    if isinstance(handler, JobDefinition):
        return handler.place
    kind = type(handler)
    try:
        return f"{inspect.getsourcefile(kind)}:{inspect.getsourcelines(kind)[1]}"
    except (OSError, TypeError):
        return f"{kind.__module__}.{kind.__qualname__}"
