"""The scanner on folders that give trouble."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico.adapters.file_system.scanning import Scanner, Selection
from portico.runtime.service import StoppingError


@pytest.fixture
def ended() -> threading.Event:
    return threading.Event()


@pytest.fixture
def scanner(tmp_path: Path, ended: threading.Event) -> Scanner:
    for name in ("a/one", "b/two"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    return Scanner(Selection(path=tmp_path), ended, time.monotonic)


def _fail_in_b(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    scandir = os.scandir

    def failing(path: Path) -> Iterator[os.DirEntry[str]]:
        if path.name == "b":
            raise error
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)


def test_it_finds_files_and_the_folders_they_are_in(scanner: Scanner) -> None:
    snapshot = scanner.scan()

    assert set(snapshot.files) == {"a/one", "b/two"}
    assert {path for path, _ in snapshot.folders} == {"", "a", "b"}


def test_a_folder_that_cannot_be_read_is_named_and_stops_no_other(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_in_b(monkeypatch, PermissionError())

    snapshot = scanner.scan()

    assert set(snapshot.files) == {"a/one"}
    assert snapshot.unreadable == {"b": "PermissionError"}


def test_a_folder_that_is_gone_before_it_is_listed_is_no_trouble(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_in_b(monkeypatch, FileNotFoundError())

    snapshot = scanner.scan()

    assert set(snapshot.files) == {"a/one"}
    assert snapshot.unreadable == {}


def test_a_file_that_this_process_may_not_read_is_named(
    scanner: Scanner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # not by its mode: root may read everything
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path / "a/one")

    assert list(scanner.unreadable(["a/one", "b/two"])) == ["a/one"]


def test_a_scan_ends_when_its_run_has_ended(scanner: Scanner, ended: threading.Event) -> None:
    ended.set()

    with pytest.raises(StoppingError):
        scanner.scan()
