"""What tests of code that uses Portico need; importing it needs no test framework."""

from portico.testing.clock import FakeClock
from portico.testing.deliveries import SignedDelivery, send_signed, sign
from portico.testing.recording import RecordingJobCreator

__all__ = ["FakeClock", "RecordingJobCreator", "SignedDelivery", "send_signed", "sign"]
