"""Reading the documentation: its pages, their fenced blocks, headings and links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,}) *(?P<info>[^`]*)$")
_HEADING = re.compile(r"^#{1,6} +(?P<text>.+?) *#*$")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_INLINE_CODE = re.compile(r"`[^`]*`")
_NEEDS = re.compile(r"^# needs: (?P<servers>.+)$")
_FILE_NAME = re.compile(r"^# (?P<name>\w+\.py)$")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block; `first_line` counts from 1 within its page."""

    info: str
    text: str
    first_line: int

    @property
    def runs(self) -> bool:
        return self.info == "python"

    @property
    def servers(self) -> frozenset[str]:
        """What a first line ``# needs: rabbitmq, postgresql`` names."""
        needs = _NEEDS.match(self._first)
        return frozenset(re.split(r"[,\s]+", needs["servers"].strip())) if needs else frozenset()

    @property
    def file_name(self) -> str | None:
        """What a first line ``# app.py`` says: the reader puts the block into that file."""
        named = _FILE_NAME.match(self._first)
        return named["name"] if named else None

    @property
    def _first(self) -> str:
        return self.text.partition("\n")[0]


@dataclass(frozen=True)
class Page:
    """A Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix() if self.path.is_relative_to(ROOT) else self.path.name

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(_blocks(self.path.read_text().splitlines()))

    @cached_property
    def prose(self) -> tuple[str, ...]:
        """The lines outside of fenced blocks."""
        lines = self.path.read_text().splitlines()
        fenced: set[int] = set()
        for block in self.blocks:
            fenced.update(range(block.first_line - 1, block.first_line + block.text.count("\n") + 1))
        return tuple(line for number, line in enumerate(lines, start=1) if number not in fenced)

    @property
    def servers(self) -> frozenset[str]:
        return frozenset[str]().union(*(block.servers for block in self.blocks if block.runs))

    @property
    def test_files(self) -> list[str]:
        """The files of tests that the reader is shown."""
        return [block.file_name for block in self.blocks if block.file_name and block.file_name.startswith("test_")]

    @property
    def links(self) -> list[str]:
        """Targets within the repository: ``other.md#anchor``, ``#anchor``, ``../file``."""
        found = [link["target"] for line in self.prose for link in _LINK.finditer(_INLINE_CODE.sub("", line))]
        return [target for target in found if not re.match(r"[a-z]+:", target)]

    @property
    def anchors(self) -> frozenset[str]:
        headings = (_HEADING.match(line) for line in self.prose)
        return frozenset(_anchor(heading["text"]) for heading in headings if heading)


def documentation() -> list[Page]:
    """Return the pages whose blocks run."""
    return [Page(ROOT / "README.md"), *(Page(path) for path in sorted((ROOT / "docs").rglob("*.md")))]


def all_pages() -> list[Page]:
    """Return the pages whose links are checked."""
    others = (Page(path) for path in sorted(ROOT.glob("*.md")) if path.name != "README.md")
    return [*documentation(), *others]


def _blocks(lines: list[str]) -> Iterator[Block]:
    numbered = iter(enumerate(lines, start=1))
    for number, line in numbered:
        opening = _FENCE.match(line)
        if opening is None:
            continue
        body: list[str] = []
        for _, inner in numbered:
            if inner.strip() == opening["fence"]:
                break
            body.append(inner.removeprefix(opening["indent"]))
        yield Block(info=opening["info"].strip(), text="\n".join(body) + "\n", first_line=number + 1)


def _anchor(heading: str) -> str:
    # as GitHub does: links become their text, punctuation goes, spaces become dashes
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
