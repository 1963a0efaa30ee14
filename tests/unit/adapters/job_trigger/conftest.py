"""What most tests of triggers begin with."""

import pytest

from portico.testing import RecordingJobCreator
from tests.unit.adapters.job_trigger.schedule_support import START, SetClock


@pytest.fixture
def clock() -> SetClock:
    """Return a clock half a minute before nine."""
    return SetClock(START)


@pytest.fixture
def creator() -> RecordingJobCreator:
    """Return a creator that keeps what it was asked for."""
    return RecordingJobCreator()
