"""The turns that partitions take."""

from portico.adapters.store.memory.entries import Entry


class Turns:
    """Ranks the waiting jobs of one queue and one priority.

    A partition's next job is ranked one behind its last that waits, and no newcomer before the rank that has been
    reached: who brings a thousand jobs and who brings three are served in turn.
    """

    def __init__(self) -> None:
        self._reached = 0
        self._last_ranks: dict[str | None, int] = {}
        self._waiting: dict[str | None, int] = {}

    def join(self, newcomer: Entry) -> None:
        """Rank a job that has not waited before."""
        newcomer.rank = max(self._reached, self._last_ranks.get(newcomer.partition_key, -1) + 1)
        self.come_back(newcomer)

    def come_back(self, entry: Entry) -> None:
        """The job waits, at its rank."""
        partition = entry.partition_key
        self._waiting[partition] = self._waiting.get(partition, 0) + 1
        self._last_ranks[partition] = max(self._last_ranks.get(partition, 0), entry.rank)

    def run(self, entry: Entry) -> None:
        """It is the job's turn."""
        self._reached = max(self._reached, entry.rank)
        self.leave(entry)

    def leave(self, entry: Entry) -> None:
        """The job waits no more."""
        partition = entry.partition_key
        left = self._waiting[partition] - 1
        if left:
            self._waiting[partition] = left
        else:
            del self._waiting[partition], self._last_ranks[partition]
