"""Processes that die, under a supervisor."""

import asyncio
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from portico.cli.process_supervisor import ProcessSupervisor
from portico.runtime.backoff import Backoff

pytestmark = pytest.mark.asyncio

EVENTS = {"worker_process_died", "worker_process_not_started"}
DIES = "import pathlib, sys; pathlib.Path(sys.argv[1]).open('a').write('x'); sys.exit({code})"


async def _supervised(command: list[str], journal: Path, starts: int) -> list[dict[str, object]]:
    journal.touch()
    supervisor = ProcessSupervisor(command, 1, restarts=Backoff(base_seconds=0.01, cap_seconds=0.04))
    with capture_logs() as logs:
        running = asyncio.create_task(supervisor.run())
        async with asyncio.timeout(30):
            while len(journal.read_text()) < starts:
                await asyncio.sleep(0.01)
        # let the last of them end
        await asyncio.sleep(0.1)
        running.cancel()
        await asyncio.wait({running})
    return [dict(entry) for entry in logs if entry["event"] in EVENTS]


@pytest.mark.parametrize(("code", "reason"), [("1", "exit code 1"), ("0", "exit code 0")])
async def test_a_process_that_ends_is_started_again_after_a_growing_while(
    tmp_path: Path, code: str, reason: str
) -> None:
    journal = tmp_path / "journal"

    entries = await _supervised([sys.executable, "-c", DIES.format(code=code), str(journal)], journal, 4)

    assert {entry["event"] for entry in entries} == {"worker_process_died"}
    assert {entry["reason"] for entry in entries} == {reason}
    assert [entry["restart_in_seconds"] for entry in entries][:4] == [0.01, 0.02, 0.04, 0.04]


async def test_a_system_that_has_no_process_to_give_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "journal"
    start, refusals = asyncio.create_subprocess_exec, [OSError(11, "Resource temporarily unavailable")]

    async def refuse_once(*command: str, **options: object) -> asyncio.subprocess.Process:
        if refusals:
            raise refusals.pop()
        return await start(*command, **options)  # type: ignore[arg-type] # - passed on

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse_once)

    entries = await _supervised([sys.executable, "-c", DIES.format(code="1"), str(journal)], journal, 1)

    assert [entry["event"] for entry in entries][:2] == ["worker_process_not_started", "worker_process_died"]


async def test_a_refused_configuration_is_not_tried_again(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    supervisor = ProcessSupervisor([sys.executable, "-c", DIES.format(code="3"), str(journal)], 2)

    assert await asyncio.wait_for(supervisor.run(), 20) == 3
    assert 1 <= len(journal.read_text()) <= 2
