"""Listening, and the way out where that is not possible."""

import asyncio
import signal
import socket
from datetime import UTC, datetime

import pytest

from portico.cli.exits import CommandError, ExitCode
from portico.cli.server import bind
from portico.cli.stop_signals import SAME_REQUEST_SECONDS, StopSignals
from portico.testing import FakeClock


def test_a_taken_port_is_refused_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use.*--port 0"):
            bind("127.0.0.1", port)


# 192.0.2.0/24 is nobody's
@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_host_that_is_not_ours_is_not_blamed_on_the_port(host: str) -> None:
    with pytest.raises(CommandError, match=f"cannot listen on {host}:7070") as caught:
        bind(host, 7070)
    assert "--host" in str(caught.value)
    assert "--port" not in str(caught.value)
    assert caught.value.exit_code is ExitCode.FAILED


@pytest.mark.asyncio
async def test_a_system_without_such_signals_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", refuse)
    with pytest.raises(CommandError, match="Linux or macOS"), StopSignals():
        pass


@pytest.mark.asyncio
async def test_the_first_signal_begins_the_end_and_the_second_forces_it() -> None:
    called: list[str] = []
    clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))
    with StopSignals(lambda: called.append("forced"), lambda: called.append("draining"), clock=clock) as stop:
        signal.raise_signal(signal.SIGTERM)
        await stop.wait()
        await clock.advance(SAME_REQUEST_SECONDS)
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0.01)
    assert called == ["draining", "forced"]


@pytest.mark.asyncio
async def test_a_signal_that_comes_twice_at_once_is_one_request() -> None:
    called: list[str] = []
    clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))
    with StopSignals(lambda: called.append("forced"), lambda: called.append("draining"), clock=clock) as stop:
        signal.raise_signal(signal.SIGINT)
        await stop.wait()
        await clock.advance(SAME_REQUEST_SECONDS - 0.01)
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0.01)
    assert called == ["draining"]
