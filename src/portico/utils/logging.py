"""Structured logging: events with fields, readable on a terminal and JSON lines otherwise."""

import logging
import sys
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger
from typing_extensions import override

_SHARED_PROCESSORS: tuple[Any, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
)

_QUIET = structlog.make_filtering_bound_logger(logging.WARNING)
# not what `logging` knows: a server adds levels of its own
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
# of the classes that say at once, without a logger, what they leave out
_LOWEST = {structlog.make_filtering_bound_logger(level): level for level in _LEVELS.values()}


def get_logger(name: str) -> FilteringBoundLogger:
    """Return a logger whose calls are ``logger.info("event_name", field=value)``.

    Until `configure_logging` was called (or the application configured structlog itself), only warnings and errors are
    written: a library does not fill its user's screen.
    """
    return cast("FilteringBoundLogger", _LibraryLogger(name))


class _LibraryLogger:
    """Looks with each event whether somebody has configured structlog by now."""

    def __init__(self, name: str) -> None:
        self._name = name

    def bind(self, **fields: object) -> FilteringBoundLogger:
        wrapper = None if structlog.is_configured() else _QUIET
        logger: FilteringBoundLogger = structlog.wrap_logger(None, wrapper_class=wrapper, logger_name=self._name)
        return logger.bind(**fields)

    def is_enabled_for(self, level: int) -> bool:
        wrapper = structlog.get_config()["wrapper_class"] if structlog.is_configured() else _QUIET
        return level >= _LOWEST.get(wrapper, logging.NOTSET)

    def __getattr__(self, method: str) -> object:
        # binding a logger takes ten times as long as finding out that it would write nothing
        is_silent = not self.is_enabled_for(_LEVELS.get(method, logging.CRITICAL))
        return _write_nothing if is_silent else getattr(self.bind(), method)


def _write_nothing(_event: str, *_values: object, **_fields: object) -> None:
    pass


def is_enabled(logger: object, level: int) -> bool:
    """Tell whether a bound logger writes events of a level; one that cannot say is taken to."""
    # not of the object: loggers of other kinds have every attribute
    if not hasattr(type(logger), "is_enabled_for"):
        return True
    return bool(logger.is_enabled_for(level))  # type: ignore[attr-defined] # - the line above has seen it


def configure_logging(level: str = "info", *, json: bool | None = None, stream: TextIO | None = None) -> None:
    """Set structlog up for a process that Portico runs.

    Args:
        level: the lowest level that is written: ``"debug"``, ``"info"``, ``"warning"``, ``"error"``.
        json: one JSON object per line; by default only when `stream` is not a terminal.
        stream: where to, by default standard error.

    Raises:
        ValueError: there is no such level.

    """
    lowest = _LEVELS.get(level.lower())
    if lowest is None:
        raise ValueError(f"level must be one of {', '.join(_LEVELS)}, not {level!r}")
    target = sys.stderr if stream is None else stream
    as_json = not target.isatty() if json is None else json
    structlog.configure(
        processors=[*_SHARED_PROCESSORS, *(_json_renderers() if as_json else _console_renderers(target))],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=structlog.WriteLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    _route_standard_logging()


def _route_standard_logging() -> None:
    """Let warnings of other libraries look like our own, unless the program has set logging up itself."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(_ToStructlog())
        root.setLevel(logging.WARNING)


class _ToStructlog(logging.Handler):
    @override
    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger(logger_name=record.name)
        logger.log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def _json_renderers() -> list[Any]:
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _in_reading_order,
        structlog.processors.JSONRenderer(default=str),
    ]


def _console_renderers(target: TextIO) -> list[Any]:
    return [
        _for_eyes,
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        structlog.dev.ConsoleRenderer(
            colors=target.isatty(),
            pad_event_to=28,
            sort_keys=False,
            exception_formatter=structlog.dev.plain_traceback,
        ),
    ]


def _in_reading_order(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return {**_taken(event, "timestamp", "level", "event"), **event}


def _for_eyes(_logger: Any, _method: str, event: EventDict) -> EventDict:
    # an id is long, and only serves to look the rest up; the event says enough without its logger
    _taken(event, "logger_name")
    about, identity = _taken(event, "job_type"), _taken(event, "job_id")
    return {**about, **event, **identity}


def _taken(event: EventDict, *names: str) -> dict[str, Any]:
    return {name: event.pop(name) for name in names if name in event}
