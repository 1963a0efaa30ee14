"""Every option of webhooks is in the table of its page."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from portico.adapters.job_trigger.webhook_trigger import WebhookConfig, WebhookSource

PAGES = Path(__file__).parents[2] / "docs" / "triggers"


@pytest.mark.parametrize(
    ("options", "page"),
    [(WebhookConfig, "webhook.md"), (WebhookSource, "webhook-sources.md")],
    ids=["config", "source"],
)
def test_the_page_has_every_option(options: Any, page: str) -> None:
    rows = re.findall(r"^\| (`.+?`) \|", (PAGES / page).read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    assert {field.name for field in dataclasses.fields(options)} - named == set()
