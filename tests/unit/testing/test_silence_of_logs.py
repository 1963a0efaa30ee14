"""What listens to all tests hears what it must."""

import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.webhook_case(117)

TESTS = """
import logging
import pytest
from portico.adapters.http.authentication import Bearer
from portico.adapters.webhook_signature.secrets import Secret
from portico.utils.logging import get_logger
from tests.silence import NEEDLE, RECIPIENT

logger = get_logger(__name__)

def test_a_secret(): logger.debug("seen", secret=Secret("a-secret-of-somebody").reveal())
def test_a_key_without_its_prefix(): logger.debug("seen", value=Secret("whsec_c2VjcmV0LW9mLXNvbWVib2R5").reveal()[6:])
def test_a_token(): Bearer(["a-token-of-the-shop"]); logger.warning("seen", header="Bearer a-token-of-the-shop")
def test_a_body(): logger.debug("seen", error=ValueError({"note": NEEDLE}))
def test_a_payload(): logger.bind().info("seen", payload={"recipient": RECIPIENT})
def test_an_event(): logger.info(f"seen {NEEDLE}")
def test_another_logger(): logging.getLogger("x.y").debug("seen %s", NEEDLE)
def test_one_that_a_failure_hides():
    try:
        logger.info("seen", note=NEEDLE)
    except BaseException:
        pass
def test_nothing(): logger.info("seen", secret=Secret("a-secret-of-somebody"), job_type="email.send")
"""


def test_whatever_tells_a_secret_or_a_body_fails(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(TESTS)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]), prepend=os.pathsep)

    result = pytester.runpytest_subprocess("-p", "tests.silence", "-p", "no:cacheprovider")

    result.assert_outcomes(passed=9, errors=8)
