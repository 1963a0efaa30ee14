"""How tests that need a server behave without it."""

import socket

import pytest

NEEDS_RABBITMQ = """
    import pytest

    @pytest.mark.server("rabbitmq")
    def test_by_marker():
        pass

    def test_by_fixture(rabbitmq_url):
        assert rabbitmq_url.startswith("amqp://")

    def test_without_server():
        pass
"""


@pytest.fixture(autouse=True)
def _plugin(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["tests.servers"]')
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")


@pytest.fixture
def rabbitmq_is_down(monkeypatch: pytest.MonkeyPatch) -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("PORTICO_TEST_RABBITMQ_URL", f"amqp://guest:s3cret@127.0.0.1:{port}/")
    return f"127.0.0.1:{port}"


def test_on_a_laptop_they_are_skipped_and_one_line_says_how_to_start_the_server(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, rabbitmq_is_down: str
) -> None:
    monkeypatch.delenv("CI", raising=False)
    pytester.makepyfile(NEEDS_RABBITMQ)

    run = pytester.runpytest()

    run.assert_outcomes(passed=1, skipped=2)
    (line,) = [line for line in run.outlines if line.startswith("rabbitmq:")]
    assert line == (
        f"rabbitmq: 2 tests skipped, nothing answers at {rabbitmq_is_down}; "
        "start it with 'rabbitmq-server -detached' or set PORTICO_TEST_RABBITMQ_URL"
    )


def test_where_ci_is_set_they_fail(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, rabbitmq_is_down: str
) -> None:
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile(NEEDS_RABBITMQ)

    run = pytester.runpytest()

    run.assert_outcomes(passed=1, errors=2)
    run.stdout.fnmatch_lines([f"rabbitmq: 2 tests failed, nothing answers at {rabbitmq_is_down};*"])


def test_no_password_of_an_address_is_shown(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, rabbitmq_is_down: str
) -> None:
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile(NEEDS_RABBITMQ)

    run = pytester.runpytest("-rA")

    run.stdout.fnmatch_lines([f"*{rabbitmq_is_down}*"])
    run.stdout.no_fnmatch_line("*s3cret*")


def test_they_run_where_the_server_answers(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setenv("PORTICO_TEST_RABBITMQ_URL", f"amqp://guest:guest@127.0.0.1:{port}/")
        pytester.makepyfile(NEEDS_RABBITMQ)

        run = pytester.runpytest()

    run.assert_outcomes(passed=3)
    run.stdout.no_fnmatch_line("rabbitmq:*")


def test_a_marker_with_an_unknown_name_fails_and_lists_the_known_ones(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.server("rabbit")
        def test_marked():
            pass
    """)

    run = pytester.runpytest()

    run.assert_outcomes(errors=1)
    run.stdout.fnmatch_lines(["*unknown server 'rabbit'*known: postgresql, rabbitmq, redis*"])
