"""The pages for users name every task, quota and webhook event."""

from pathlib import Path

import pytest

from generate_on_cloud.contract.access import Quotas
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.webhooks import WebhookEvent

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("task", Task)
def test_the_reference_names_every_task(task: Task) -> None:
    assert f"`{task}`" in (DOCS / "api.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("quota", Quotas.model_fields)
def test_the_page_about_access_has_a_row_for_every_quota(quota: str) -> None:
    assert f"\n| `{quota}` |" in (DOCS / "access.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("event", WebhookEvent)
def test_the_reference_names_every_webhook_event(event: WebhookEvent) -> None:
    assert f"`{event}`" in (DOCS / "api.md").read_text(encoding="utf-8")
