"""The ``$ portico ...`` lines of console blocks."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from typing_extensions import override

from tests.docs.pages import Block, Page

_PROMPT = "$ "


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command, and the output shown below it."""

    place: str
    arguments: tuple[str, ...]
    shown: tuple[str, ...]

    @override
    def __str__(self) -> str:
        return f"{self.place}: portico {shlex.join(self.arguments)}"

    @property
    def fails(self) -> bool:
        return bool(self.shown) and self.shown[0].startswith("error: ")

    @property
    def is_cheap(self) -> bool:
        """It ends by itself: it asks for help, or is shown with the error that it ends with."""
        return self.fails or bool({"--help", "--version"} & set(self.arguments))


def commands_of(page: Page) -> Iterator[Command]:
    """Return the page's commands in order."""
    for block in page.blocks:
        if block.info == "console":
            yield from _commands_in(block, page)


def _commands_in(block: Block, page: Page) -> Iterator[Command]:
    lines = block.text.splitlines()
    prompts = [number for number, line in enumerate(lines) if line.startswith(_PROMPT)]
    for number, end in zip(prompts, [*prompts[1:], len(lines)], strict=True):
        words = shlex.split(lines[number].removeprefix(_PROMPT), comments=True)
        if words[:1] == ["portico"]:
            yield Command(
                place=f"{page.name}:{block.first_line + number}",
                arguments=tuple(words[1:]),
                shown=tuple(line for line in lines[number + 1 : end] if line),
            )
