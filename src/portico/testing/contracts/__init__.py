"""Suites that an adapter's author subclasses; they need pytest and pytest-asyncio, the models hypothesis."""

from importlib import import_module

import pytest

_HOMES = {
    "EventInboxContract": "event_inbox",
    "JobQueueContract": "job_queue",
    "JobTriggerContract": "job_trigger",
    "LimitedQueueModel": "limited_queue_model",
    "QueueModel": "queue_model",
    "RateLimiterContract": "rate_limiter",
    "SharedRateLimiterContract": "rate_limiter",
    "TriggerStoreContract": "trigger_store",
}

# before they are imported, so that a failure shows what was compared and not only that
pytest.register_assert_rewrite(f"{__name__}.queue_suite", *(f"{__name__}.{home}" for home in _HOMES.values()))


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    contract: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return contract


def __dir__() -> list[str]:
    return sorted(_HOMES)
