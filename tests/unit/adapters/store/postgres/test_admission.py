"""Which jobs of a batch are asked for together, and how the others are answered."""

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portico.adapters.store.postgres.admission import AdmissionRules, Newcomer, insert, insert_quickly
from portico.exceptions import DatabaseError, ValidationError
from portico.ports.job import Job

RULES = AdmissionRules(now=None, held_for=timedelta(days=7), commit_mode="on")
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def job(**fields: Any) -> Job:
    known: dict[str, Any] = {"id": uuid.uuid4(), "queue_name": "q", "job_type": "t", "payload": {}, "created_at": NOW}
    return Job(**{**known, **fields})


class Statements:
    """Answers by name; refuses the ids it was given, and knows no holder unless told."""

    def __init__(self, refused: Sequence[uuid.UUID] = (), holders: Callable[[int], list[Any]] | None = None) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self._refused = refused
        self._holders = holders

    async def fetch(self, name: str, *values: Any, is_repeatable: bool = False) -> list[Any]:
        self.calls.append((name, values))
        if name in ("job_enqueue_lone", "job_enqueue_keyless"):
            return [(not self._refused,)]
        if name == "job_enqueue":
            return [(each,) for each in self._refused if each in values[0]]
        return [] if self._holders is None else self._holders(len(values[0]))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


@pytest.mark.asyncio
async def test_what_is_the_same_for_all_is_given_once_and_what_may_be_null_is_not() -> None:
    statements = Statements()
    at = NOW + timedelta(days=1)
    jobs = [job(scheduled_at=at), job(scheduled_at=at)]
    await insert(statements, [Newcomer(each) for each in jobs], RULES)
    [(_, values)] = statements.calls
    assert values[:12] == (
        tuple(each.id for each in jobs),
        ("q",),
        ("t",),
        (0,),
        (3,),
        (at, at),
        (NOW,),
        None,
        None,
        None,
        ("{}",),
        ("{}",),
    )


@pytest.mark.asyncio
async def test_a_batch_of_strangers_is_one_statement() -> None:
    statements = Statements()
    jobs = [job(payload={"n": n}) for n in range(5)]
    assert await insert(statements, [Newcomer(each) for each in jobs], RULES) == jobs
    assert statements.names == ["job_enqueue"]


@pytest.mark.asyncio
async def test_who_has_the_name_of_one_before_it_is_answered_with_that_one() -> None:
    statements = Statements()
    first = job(metadata={"unique_key": "u"})
    second = job(metadata={"unique_key": "u", "idempotency_key": "k"})
    # the second was not stored, so its idempotency key is free for the third
    third = job(metadata={"idempotency_key": "k"})
    answers = await insert(statements, [Newcomer(each) for each in (first, second, third, first)], RULES)
    assert [each.id for each in answers] == [first.id, first.id, third.id, first.id]
    assert [each.is_duplicate for each in answers] == [False, True, False, True]
    assert statements.calls[0][1][0] == (first.id, third.id)


@pytest.mark.asyncio
async def test_who_was_refused_by_nobody_that_can_be_found_is_asked_again_and_not_for_ever() -> None:
    stubborn = job()
    statements = Statements(refused=[stubborn.id])
    with pytest.raises(DatabaseError, match="1 jobs were not stored"):
        await insert(statements, [Newcomer(stubborn)], RULES)
    assert statements.names[:4] == ["job_enqueue", "job_holders", "job_enqueue", "job_holders"]


@pytest.mark.asyncio
async def test_a_key_without_its_job_is_answered_with_what_is_known_of_it() -> None:
    asked, gone = job(metadata={"idempotency_key": "k"}), uuid.uuid4()
    no_job = (None,) * 19
    statements = Statements(refused=[asked.id], holders=lambda _: [(*no_job, 1, gone, "completed")])
    [answer] = await insert(statements, [Newcomer(asked)], RULES)
    assert (answer.id, answer.status.value, answer.is_duplicate) == (gone, "completed", True)


@pytest.mark.parametrize(
    ("fields", "member"),
    [
        ({"queue_name": "a\0b"}, "queue_name"),
        ({"job_type": "a\0b"}, "job_type"),
        ({"metadata": {"idempotency_key": "a\0b"}}, "idempotency_key"),
        ({"metadata": {"unique_key": "a\0b"}}, "unique_key"),
    ],
)
def test_nul_characters_are_refused_where_postgresql_has_no_place_for_them(fields: Any, member: str) -> None:
    with pytest.raises(ValidationError, match=f"{member}.*NUL character"):
        Newcomer(job(**fields))


def test_documents_may_hold_nul_characters_and_long_keys_are_held_by_their_hash() -> None:
    newcomer = Newcomer(job(payload={"text": "a\0b"}, metadata={"unique_key": "k" * 501}))
    assert newcomer.values[10] == '{"text":"a\\u0000b"}'
    assert str(newcomer.values[8]).startswith("sha256:")
    assert Newcomer(job(metadata={"unique_key": "k" * 500})).values[8] == "k" * 500


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("metadatas", "way"),
    [
        ([{}], "job_enqueue_lone"),
        ([{"unique_key": "u"}], "job_enqueue_lone"),
        ([{"idempotency_key": "k"}], None),
        ([{}, {"partition_key": "p"}], "job_enqueue_keyless"),
        ([{}, {"unique_key": "u"}], None),
        ([{}, {"idempotency_key": "k"}], None),
    ],
)
async def test_the_short_ways_are_taken_by_jobs_whose_keys_need_no_care(
    metadatas: list[dict[str, str]], way: str | None
) -> None:
    statements = Statements()
    newcomers = [Newcomer(job(metadata=metadata)) for metadata in metadatas]
    assert await insert_quickly(statements, newcomers, RULES) is (way is not None)
    assert statements.names == ([] if way is None else [way])


@pytest.mark.asyncio
async def test_a_batch_with_one_id_twice_takes_no_short_way() -> None:
    statements = Statements()
    twice = Newcomer(job())
    assert not await insert_quickly(statements, [twice, twice], RULES)
    assert statements.names == []


@pytest.mark.asyncio
async def test_what_a_short_way_refuses_is_told() -> None:
    newcomers = [Newcomer(job()), Newcomer(job())]
    assert not await insert_quickly(Statements(refused=[newcomers[0].job.id]), newcomers, RULES)
