"""Executing the Python blocks of a page: one module, one event loop, top to bottom.

A block that begins with a file's name (``# app.py``) is also written to it, so that later blocks import it.
"""

import ast
import asyncio
import inspect
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from portico.ports.job_trigger import JobTrigger
from portico.runtime.service import Service
from tests.docs.pages import Block

PAGE_TIMEOUT_SECONDS = 60.0


async def run_blocks(blocks: Iterable[Block], path: Path, module: ModuleType) -> None:
    """Execute the blocks in the namespace of `module`, then stop what they left running."""
    try:
        async with asyncio.timeout(PAGE_TIMEOUT_SECONDS):
            for block in blocks:
                write_file(block, Path())
                await _run(block, path, module)
    finally:
        await _stop_all(module)


def write_file(block: Block, folder: Path) -> None:
    """Put a block that names a file there."""
    if block.file_name is not None:
        (folder / block.file_name).write_text(block.text)


async def _run(block: Block, path: Path, module: ModuleType) -> None:
    # empty lines in front: a traceback points into the page
    source = "\n" * (block.first_line - 1) + block.text
    code = compile(source, str(path), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    result = eval(code, vars(module))
    if inspect.iscoroutine(result):
        await result


async def _stop_all(module: ModuleType) -> None:
    for value in list(vars(module).values()):
        if isinstance(value, Service | JobTrigger):
            await value.stop()
