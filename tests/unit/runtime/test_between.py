"""A context without a state of its own."""

import pytest

from portico.runtime.between import Between


def test_the_end_comes_also_behind_an_error_and_as_often_as_the_beginning() -> None:
    said: list[str] = []
    between = Between(lambda: said.append("begin"), lambda: said.append("end"))
    with between, pytest.raises(LookupError), between:
        raise LookupError
    assert said == ["begin", "begin", "end", "end"]


def test_what_did_not_begin_does_not_end() -> None:
    ended: list[str] = []

    def refuse() -> None:
        raise LookupError

    with pytest.raises(LookupError), Between(refuse, lambda: ended.append("end")):
        pass
    assert not ended
