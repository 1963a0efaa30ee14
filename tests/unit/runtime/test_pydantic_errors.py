from typing import Any

import pydantic
import pytest

from portico.runtime.pydantic_errors import refusal_text, refusals


class Line(pydantic.BaseModel):
    price: int

    @pydantic.field_validator("price")
    @classmethod
    def _check(cls, value: int) -> int:
        if value < 0:
            message = f"{value} is negative"
            raise ValueError(message)
        return value


class Order(pydantic.BaseModel):
    lines: list[Line]


def _error(payload: dict[str, Any]) -> pydantic.ValidationError:
    with pytest.raises(pydantic.ValidationError) as caught:
        Order.model_validate(payload)
    return caught.value


def test_a_refusal_has_the_path_and_the_rule() -> None:
    error = _error({"lines": [{"price": 1}, {}]})

    assert list(refusals(error)) == ["payload.lines[1].price: Field required"]


def test_a_refusal_never_has_the_value() -> None:
    error = _error({"lines": [{"price": "hunter2"}, {"price": -4111}]})

    text = refusal_text(error)

    assert "hunter2" not in text
    assert "4111" not in text
    assert "payload.lines[1].price: refused by a validator" in text


def test_many_refusals_are_counted() -> None:
    error = _error({"lines": [{}] * 15})

    assert refusal_text(error).endswith("; and 5 more")
