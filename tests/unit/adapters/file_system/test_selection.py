"""Which names count."""

import os
from pathlib import Path

import pytest

from portico.adapters.file_system.scanning import TEMPORARY_NAMES, Globs, Selection
from portico.exceptions import ConfigurationError


@pytest.mark.parametrize("name", ["a.tmp", "a.csv.part", "a.csv~", ".hidden", ".tmp"])
def test_temporary_and_hidden_names_are_ignored(name: str) -> None:
    assert Globs(TEMPORARY_NAMES).match(f"folder/{name}", name)


@pytest.mark.parametrize("name", ["a.csv", "tmp", "part", "a.tmp.csv", "~a", "a."])
def test_other_names_are_not(name: str) -> None:
    assert not Globs(TEMPORARY_NAMES).match(name, name)


def test_a_glob_without_a_slash_is_matched_against_the_name() -> None:
    assert Globs(["*.csv"]).match("deep/down/a.csv", "a.csv")
    assert not Globs(["deep*"]).match("deep/down/a.csv", "a.csv")


def test_a_glob_with_a_slash_is_matched_against_the_path() -> None:
    globs = Globs(["orders/*.csv"])

    assert globs.match("orders/a.csv", "a.csv")
    assert not globs.match("a.csv", "a.csv")


def test_case_counts() -> None:
    assert not Globs(["*.csv"]).match("A.CSV", "A.CSV")


def test_no_globs_match_nothing() -> None:
    assert not Globs([]).match("a", "a")


def test_a_text_in_place_of_a_list_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"patterns must be a list of globs .*'\*\.csv'"):
        Selection(path=Path("/in"), patterns="*.csv")
    with pytest.raises(ConfigurationError, match="ignore must be a list"):
        Selection(path=Path("/in"), ignore="*.csv")


def test_patterns_that_match_nothing_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="patterns must not be empty"):
        Selection(path=Path("/in"), patterns=[])


def test_a_folder_whose_name_cannot_stand_in_a_payload_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"watch_path must be UTF-8, not /in/caf\\xe9"):
        Selection(path=Path(os.fsdecode(b"/in/caf\xe9")))
