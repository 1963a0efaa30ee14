"""Telling a human."""

from typing import Any, Protocol


class AlertService(Protocol):
    """Anything that can reach somebody; what it raises is logged and changes nothing."""

    async def send_alert(self, level: str, message: str, context: dict[str, Any]) -> None:
        """Send an alert.

        Args:
            level: ``"warning"`` or ``"error"``.
            message: one sentence that names the trigger and the job type.
            context: facts beside it, at least ``"error"`` as text.

        """
        ...
