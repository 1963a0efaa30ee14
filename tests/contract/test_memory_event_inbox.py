"""The inbox in memory keeps the promises of every inbox."""

from typing_extensions import override

from portico.runtime.memory_state import MemoryEventInbox
from portico.testing.contracts import EventInboxContract


class TestMemoryEventInbox(EventInboxContract):
    @override
    def make_inbox(self) -> MemoryEventInbox:
        return MemoryEventInbox()
