"""Every Python block of the README and of docs/ runs, every command parses, every link leads somewhere."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import structlog

from portico.cli.main import application
from tests.docs.commands import Command, commands_of
from tests.docs.execution import run_blocks, write_file
from tests.docs.pages import ROOT, Page, all_pages, documentation

NOT_RUN_AT_MOST = 3
LANGUAGES = {"python", "python no-run", "console", "text", "json", "sql", "toml", "yaml", "ini", "csv", "make"}
PORTICO = Path(sys.executable).with_name("portico")


def _pages_to_run() -> Iterator[Any]:
    for page in documentation():
        if any(block.runs and not block.servers for block in page.blocks):
            yield pytest.param(page, frozenset(), id=page.name)
        if page.servers:
            servers = sorted(page.servers)
            yield pytest.param(
                page, page.servers, marks=pytest.mark.server(*servers), id=f"{page.name} with {' and '.join(servers)}"
            )


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """An empty module in an empty folder, as the reader's own file would be."""
    module = ModuleType("documented")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield module
    structlog.reset_defaults()
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(file.stem, None)


@pytest.mark.parametrize(("page", "servers"), list(_pages_to_run()))
@pytest.mark.asyncio
async def test_the_python_of_a_page_runs(page: Page, servers: frozenset[str], module: ModuleType) -> None:
    blocks = [block for block in page.blocks if block.runs and block.servers <= servers]

    await run_blocks(blocks, page.path, module)


@pytest.mark.parametrize("page", [page for page in documentation() if page.test_files], ids=lambda page: page.name)
def test_the_tests_that_a_page_shows_pass(page: Page, tmp_path: Path) -> None:
    for block in page.blocks:
        write_file(block, tmp_path)

    command = [sys.executable, "-m", "pytest", "-q", *page.test_files]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    assert ended.returncode == 0, ended.stdout


def test_almost_no_python_is_only_shown() -> None:
    assert len(_places_of({"python no-run"})) <= NOT_RUN_AT_MOST


def test_every_block_names_a_language_that_is_known_here() -> None:
    # a block of `py` or `python3` looks right and would never run
    named = {block.info for page in documentation() for block in page.blocks}

    assert not _places_of(named - LANGUAGES)


def _places_of(infos: set[str]) -> list[str]:
    return [
        f"{page.name}:{block.first_line}" for page in documentation() for block in page.blocks if block.info in infos
    ]


COMMANDS = [command for page in documentation() for command in commands_of(page)]


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_has_the_options_that_are_shown(command: Command) -> None:
    application.parse_args(command.arguments, exit_on_error=False, print_error=False)


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.is_cheap], ids=str)
def test_a_command_that_ends_by_itself_ends_as_shown(command: Command, tmp_path: Path) -> None:
    ended = subprocess.run(
        [PORTICO, *command.arguments], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )

    output = (ended.stdout + ended.stderr).splitlines()
    assert bool(ended.returncode) is command.fails
    assert [line for line in command.shown if line not in output] == []


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Page) -> None:
    assert [target for target in page.links if not _exists(page, target)] == []


def _exists(page: Page, target: str) -> bool:
    path, _, anchor = target.partition("#")
    linked = (page.path.parent / path).resolve() if path else page.path
    if not linked.exists() or not linked.is_relative_to(ROOT):
        return False
    return not anchor or anchor in Page(linked).anchors
