"""What the tests of the documentation rest on: reading pages and running their blocks."""

from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.commands import commands_of
from tests.docs.execution import run_blocks
from tests.docs.pages import Page

PAGE = """\
# A page, with `code`

Text with a [link](other.md#part), an ![image](no.png), `[no](link)` and an [address](https://example.com).

```python
import asyncio
await asyncio.sleep(0)
first = 1
```

- in a list:

    ```python
    # needs: rabbitmq, redis
    second = first + 1
    ```

## [What](x.md) is it?

```console
$ portico run app.py --port 80
error: there is no file app.py

$ ls
$ portico --help
```

```python no-run
raise RuntimeError
```
"""


@pytest.fixture
def page(tmp_path: Path) -> Page:
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    return Page(path)


def test_blocks_know_their_language_line_and_servers(page: Page) -> None:
    assert [(block.info, block.first_line, sorted(block.servers)) for block in page.blocks] == [
        ("python", 6, []),
        ("python", 14, ["rabbitmq", "redis"]),
        ("console", 21, []),
        ("python no-run", 29, []),
    ]
    assert page.servers == {"rabbitmq", "redis"}


def test_links_are_those_of_the_text_within_the_repository(page: Page) -> None:
    assert page.links == ["other.md#part", "x.md"]


def test_anchors_are_made_as_on_github(page: Page) -> None:
    assert page.anchors == {"a-page-with-code", "what-is-it"}


def test_commands_know_what_is_shown_below_them(page: Page) -> None:
    first, second = commands_of(page)

    assert first.arguments == ("run", "app.py", "--port", "80")
    assert first.shown == ("error: there is no file app.py",)
    assert first.fails
    assert first.is_cheap
    assert second.is_cheap
    assert not second.fails


@pytest.mark.asyncio
async def test_the_blocks_of_a_page_share_one_namespace(page: Page) -> None:
    module = ModuleType("page")

    await run_blocks([block for block in page.blocks if block.runs], page.path, module)

    assert vars(module)["second"] == 2


@pytest.mark.asyncio
async def test_a_block_that_raises_fails_its_page_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("text\n\n```python\nawait nothing_like_that()\n```\n")
    page = Page(path)

    with pytest.raises(NameError) as raised:
        await run_blocks(page.blocks, path, ModuleType("page"))

    assert raised.traceback[-1].lineno + 1 == 4


@pytest.mark.asyncio
async def test_what_a_page_leaves_running_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(
        "```python\nfrom portico.runtime.service import Service\nservice = Service(name='left')\n"
        "await service.start()\nassert service.is_running\n```\n"
    )
    module = ModuleType("page")

    await run_blocks(Page(path).blocks, path, module)

    assert not vars(module)["service"].is_running


@pytest.mark.asyncio
async def test_a_block_that_names_a_file_is_written_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "page.md"
    path.write_text("```python\n# test_sums.py\nassert 1 + 1 == 2\n```\n")
    page = Page(path)

    await run_blocks(page.blocks, path, ModuleType("page"))

    assert (tmp_path / "test_sums.py").read_text() == "# test_sums.py\nassert 1 + 1 == 2\n"
    assert page.test_files == ["test_sums.py"]
