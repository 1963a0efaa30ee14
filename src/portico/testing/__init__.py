"""What tests of code that uses Portico need; importing it needs no test framework."""

from importlib import import_module
from types import ModuleType

from portico.testing.clock import FakeClock
from portico.testing.deliveries import SignedDelivery, send_signed, sign
from portico.testing.recording import RecordingJobCreator

__all__ = ["FakeClock", "RecordingJobCreator", "SignedDelivery", "send_signed", "sign"]


def __getattr__(name: str) -> ModuleType:
    # lazily: the suites need pytest
    if name != "contracts":
        raise AttributeError(f"module 'portico.testing' has no attribute {name!r}")
    return import_module("portico.testing.contracts")
