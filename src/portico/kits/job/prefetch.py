"""How many jobs a worker claims before it can run them."""

AHEAD_SECONDS = 0.05
"""How long what was claimed ahead may wait for a runner, as far as past runs tell."""
_LONG_RUN_SECONDS = 1.0
_MOST_PER_SLOT = 4
_WEIGHT = 0.1


class Prefetch:
    """Keeps runners busy while the store is asked for more, as long as runs are short.

    A job that is claimed ahead goes before one of higher priority that comes later: by `AHEAD_SECONDS`, more or less.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._seconds_per_run: float | None = None

    @property
    def jobs(self) -> int:
        """How many jobs may wait for a runner: none before the first run has ended, or when runs are long."""
        seconds = self._seconds_per_run
        if seconds is None or seconds > _LONG_RUN_SECONDS:
            return 0
        most = self._slots * _MOST_PER_SLOT
        return most if seconds * most <= AHEAD_SECONDS * self._slots else int(AHEAD_SECONDS * self._slots / seconds)

    def note(self, seconds: float) -> None:
        """A run took this long."""
        before = self._seconds_per_run
        self._seconds_per_run = seconds if before is None else before + _WEIGHT * (seconds - before)

    def note_stuck(self) -> None:
        """What was claimed ahead had to be given back: claim nothing ahead until runs are short again."""
        self._seconds_per_run = max(self._seconds_per_run or 0.0, 2 * _LONG_RUN_SECONDS)
