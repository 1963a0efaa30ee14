"""What is proposed to try a handler with."""

import enum
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import pydantic
import pytest
from typing_extensions import TypedDict

from portico.kits.job import Context, job


class Colour(enum.Enum):
    RED = "red"


class Address(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)
    street: str
    since: date
    note: str | None = None


class Tree(TypedDict):
    name: str
    children: list["Tree"]


class Picky(pydantic.BaseModel):
    code: Annotated[str, pydantic.Field(pattern="^[A-Z]{3}$")]


@job("many")
async def many(
    ctx: Context,
    *,
    recipient: str,
    count: int,
    share: float,
    is_urgent: bool,
    tags: list[str],
    extra: dict[str, Any],
    colour: Colour,
    size: Literal["s", "m"],
    when: datetime,
    wait: timedelta,
    owner: UUID,
    maybe: int | None,
    address: Address,
    at_least: Annotated[int, pydantic.Field(ge=18)],
    longer: Annotated[str, pydantic.Field(min_length=12)],
    left_out: int = 3,
) -> None: ...


@job("whole")
async def whole(address: Address) -> None: ...


@job("tree")
async def tree(root: Tree) -> None: ...


@job("anything")
async def anything(payload: dict[str, Any]) -> None: ...


@job("picky")
async def picky(picky: Picky) -> None: ...


def test_each_required_parameter_has_a_value_that_it_takes() -> None:
    example = many.example_payload()

    assert example["recipient"] == "recipient"
    assert example["at_least"] == 18
    assert {"ctx", "left_out"}.isdisjoint(example)
    assert len(example) == 15


def test_a_model_that_is_the_whole_payload_has_its_members() -> None:
    assert whole.example_payload() == {"street": "street", "since": "2030-01-01"}
    assert tree.example_payload() == {"name": "name", "children": []}


@pytest.mark.parametrize("definition", [anything, picky])
def test_what_the_types_do_not_tell_is_left_to_the_user(definition: Any) -> None:
    assert definition.example_payload() == {}
