"""Portico: anything that happens becomes a durable background job, exactly one per event."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["ConcurrencyLimit", "Context", "RateLimit", "compose", "job"]

_HOMES = {
    "ConcurrencyLimit": "portico.ports.job_limits",
    "Context": "portico.kits.job",
    "RateLimit": "portico.ports.job_limits",
    "compose": "portico.compose",
    "job": "portico.kits.job",
}


def __getattr__(name: str) -> Any:
    # lazily, so that importing a port loads nothing but the standard library
    if name not in _HOMES:
        raise AttributeError(f"module 'portico' has no attribute {name!r}")
    module = import_module(_HOMES[name])
    return module if name == "compose" else getattr(module, name)
