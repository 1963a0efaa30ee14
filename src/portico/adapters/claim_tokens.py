"""Which claims an adapter has, and had."""

from collections.abc import Callable, Iterable
from functools import partial
from uuid import UUID

from portico.adapters.job_store import Claim, Holding

PAST_CLAIMS = 10_000


class ClaimTokens:
    """Tokens by job id, so that the port's answers need no more than the id.

    The latest of those that were answered or lost are kept too, from `PAST_CLAIMS` to about twice as many: a late or
    repeated answer shows its old token and changes nothing, where without one it would be taken for an operator's.
    """

    def __init__(self) -> None:
        self._held: dict[UUID, int] = {}
        # forgotten all at once: one by one, each would have its id hashed once more
        self._past: dict[UUID, int] = {}
        self._long_past: dict[UUID, int] = {}
        self._listeners: dict[object, Callable[[UUID], None]] = {}

    def add(self, claim: Claim) -> None:
        """The job was claimed; an earlier claim of it is lost."""
        job_id = claim.job.id
        if self._held.setdefault(job_id, claim.token) != claim.token:
            self._tell_lost(job_id)
            self._held[job_id] = claim.token

    def on_lost(self, listener: Callable[[UUID], None]) -> Callable[[], object]:
        """Call `listener` with the id of each job that is lost, until the returned function is called."""
        key = object()
        self._listeners[key] = listener
        return partial(self._listeners.pop, key, None)

    def holding(self, job_id: UUID) -> Holding:
        """Return what an answer shows: the token of the latest claim here, if there was any."""
        token = self._held.get(job_id)
        if token is None:
            token = self._past.get(job_id, self._long_past.get(job_id))
        return Holding(job_id, token)

    def held(self) -> dict[UUID, int]:
        """Return the claims that are neither answered nor lost."""
        return dict(self._held)

    def settle(self, holdings: Iterable[Holding]) -> None:
        """These claims are over, except where the job was claimed anew meanwhile."""
        for holding in holdings:
            job_id, token = holding.job_id, self._held.pop(holding.job_id, None)
            if token is None:
                continue
            if token == holding.token:
                self._past[job_id] = token
            else:
                self._held[job_id] = token
        if len(self._past) >= PAST_CLAIMS:
            self._past, self._long_past = {}, self._past

    def lose(self, holdings: Iterable[Holding]) -> None:
        """These claims ended without an answer."""
        lost = list(holdings)
        self.settle(lost)
        for holding in lost:
            self._tell_lost(holding.job_id)

    def settle_all(self) -> None:
        """Everything was given back."""
        self.settle([Holding(job_id, token) for job_id, token in self._held.items()])

    def _tell_lost(self, job_id: UUID) -> None:
        for listener in list(self._listeners.values()):
            listener(job_id)
