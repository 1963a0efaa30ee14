"""How a command ends, for shells and supervisors."""

from enum import IntEnum

from portico.exceptions import PorticoError


class ExitCode(IntEnum):
    """The exit codes; 2 is also what the parser of arguments ends with."""

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFIGURATION = 3
    NO_APPLICATION = 4
    UNREACHABLE = 5
    FORCED = 130


class CommandError(PorticoError):
    """The command cannot go on; the message is all that the user sees of it."""

    def __init__(self, message: str, exit_code: ExitCode, cause: BaseException | None = None) -> None:
        super().__init__(message, cause=cause)
        self.exit_code = exit_code
