"""Which token an answer shows."""

import uuid
from dataclasses import replace

from portico.adapters.claim_tokens import PAST_CLAIMS, ClaimTokens
from portico.adapters.job_store import Claim, Holding
from portico.ports.job import Job

JOB = Job(id=uuid.UUID(int=1), queue_name="q", job_type="t", payload={})


def test_a_job_that_was_never_claimed_here_has_no_token() -> None:
    assert ClaimTokens().holding(JOB.id) == Holding(JOB.id, None)


def test_an_answered_claim_still_shows_its_token() -> None:
    tokens = ClaimTokens()
    tokens.add(Claim(JOB, 7))
    tokens.settle([tokens.holding(JOB.id)])
    assert tokens.held() == {}
    assert tokens.holding(JOB.id).token == 7


def test_an_answer_to_an_earlier_claim_does_not_end_the_newer_one() -> None:
    tokens = ClaimTokens()
    tokens.add(Claim(JOB, 7))
    earlier = tokens.holding(JOB.id)
    tokens.add(Claim(JOB, 8))
    tokens.settle([earlier])
    assert tokens.held() == {JOB.id: 8}


def test_past_claims_are_forgotten_in_the_end() -> None:
    tokens = ClaimTokens()
    last = 2 * PAST_CLAIMS
    for number in range(last + 1):
        tokens.add(Claim(replace(JOB, id=uuid.UUID(int=number)), number))
        tokens.settle([tokens.holding(uuid.UUID(int=number))])
    assert tokens.holding(uuid.UUID(int=0)).token is None
    latest = range(last - PAST_CLAIMS + 1, last + 1)
    assert [tokens.holding(uuid.UUID(int=number)).token for number in latest] == list(latest)
