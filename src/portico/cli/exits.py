"""How a command ends: 0 well, 1 failed, 2 wrong usage, 3 refused configuration, 4 no application, 130 forced."""

from enum import IntEnum

from portico.exceptions import PorticoError


class ExitCode(IntEnum):
    """What a shell or a supervisor sees."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIGURATION = 3
    NO_APPLICATION = 4
    FORCED = 130


class CommandError(PorticoError):
    """The command cannot go on; the message is all that the user sees of it."""

    def __init__(self, message: str, exit_code: ExitCode, cause: BaseException | None = None) -> None:
        super().__init__(message, cause=cause)
        self.exit_code = exit_code
