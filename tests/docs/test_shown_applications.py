"""The applications that the README and the tutorial show, served by the command that they show."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.docs.pages import ROOT, Page

PORTICO = Path(sys.executable).with_name("portico")
TIMEOUT_SECONDS = 20.0
EMAIL = {"job_type": "email.send", "payload": {"recipient": "user@example.com"}}

pytestmark = [pytest.mark.asyncio, pytest.mark.e2e]


class Served:
    """A process that serves ``app.py``."""

    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self.address = address
        self._process = process

    @property
    def _errors(self) -> asyncio.StreamReader:
        assert self._process.stderr is not None
        return self._process.stderr

    async def until_logged(self, *events: str) -> None:
        missing = set(events)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while missing and (line := (await self._errors.readline()).decode()):
                missing -= {event for event in missing if f'"event": "{event}"' in line}
        assert not missing

    async def end(self) -> int:
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        await self._process.communicate()
        assert self._process.returncode is not None
        return self._process.returncode


def _applications(page: str) -> list[str]:
    return [block.text for block in Page(ROOT / page).blocks if block.file_name == "app.py"]


@asynccontextmanager
async def served(page: str, which: int, folder: Path) -> AsyncIterator[Served]:
    """Run the page's block number `which` of those that the reader puts into app.py."""
    (folder / "app.py").write_text(_applications(page)[which])
    process = await asyncio.create_subprocess_exec(
        PORTICO,
        "run",
        "app.py",
        "--port",
        "0",
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    address = ""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not address and (line := (await process.stdout.readline()).decode()):
            found = re.search(r"address +(\S+)", line)
            address = found[1] if found else ""
    application = Served(process, address)
    try:
        assert address, (await application._errors.read()).decode()
        yield application
    finally:
        code = await application.end()
    assert code == 0


@pytest.mark.parametrize(("page", "which"), [("README.md", 0), ("docs/tutorial.md", 0)])
async def test_the_shown_call_is_answered_and_its_job_executed(page: str, which: int, tmp_path: Path) -> None:
    async with served(page, which, tmp_path) as application, httpx.AsyncClient() as client:
        response = await client.post(f"{application.address}/webhooks/jobs", json=EMAIL)
        await application.until_logged("job_completed")

    assert response.status_code == 202


async def test_the_readmes_own_route_creates_a_job_that_runs(tmp_path: Path) -> None:
    async with served("README.md", 0, tmp_path) as application, httpx.AsyncClient() as client:
        response = await client.post(f"{application.address}/signup", params={"email": "user@example.com"})
        await application.until_logged("job_completed")

    assert response.status_code == 202
    assert response.json()["job_id"]


async def test_the_readmes_application_runs_under_uvicorn_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(_applications("README.md")[0])
    process = await asyncio.create_subprocess_exec(
        PORTICO.with_name("uvicorn"), "app:app", "--port", "0", cwd=tmp_path, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        found, said = None, ""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not found and (line := (await process.stderr.readline()).decode()):
                said += line
                found = re.search(r"running on (\S+)", line)
        assert found, said
        async with httpx.AsyncClient(base_url=found[1]) as client:
            response = await client.post("/signup", params={"email": "user@example.com"})
            health = (await client.get("/health/triggers")).json()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.communicate()

    assert response.status_code == 202
    assert {name: health[name]["is_running"] for name in health} == {"webhook": True, "schedule": True}


async def test_the_tutorials_second_application_counts_the_lines_of_a_file(tmp_path: Path) -> None:
    async with served("docs/tutorial.md", 1, tmp_path) as application, httpx.AsyncClient() as client:
        (tmp_path / "inbox" / "list.txt").write_text("one\ntwo\n")
        await application.until_logged("lines_counted", "inbox_counted")
        health = (await client.get(f"{application.address}/health/triggers")).json()

    assert {name: health[name]["is_running"] for name in health} == {"webhook": True, "schedule": True, "file": True}


async def test_a_payload_without_the_recipient_fails_as_the_tutorial_says(tmp_path: Path) -> None:
    async with served("docs/tutorial.md", 0, tmp_path) as application, httpx.AsyncClient() as client:
        response = await client.post(f"{application.address}/webhooks/jobs", json={**EMAIL, "payload": {}})
        await application.until_logged("job_failed")

    assert response.status_code == 202
