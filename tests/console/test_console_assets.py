"""Model files in a browser, against the real local cloud: an upload that goes on, a file that is there already."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from demo_models.checkpoint import TRAINED
from local_cloud.cloud import LocalCloud

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.xdist_group("console")]
OpenPage = Callable[..., Page]
expect.set_options(timeout=60_000)


def test_a_file_of_another_size_does_not_go_on(open_page: OpenPage, cloud: LocalCloud, tmp_path: Path) -> None:
    wrong = tmp_path / "half.safetensors"
    wrong.write_bytes(b"short")
    body = {"type": "checkpoint", "name": "half.safetensors", "size": 1_000_000, "checksum_algorithm": "SHA256"}
    begun = httpx.post(f"{cloud.api_url}/v1/assets", headers={"x-api-key": cloud.admin_key}, json=body)
    page = open_page("/assets")
    row = page.get_by_role("row").filter(has_text="half.safetensors")
    row.locator("input[type=file]").set_input_files(wrong)

    expect(row.get_by_role("alert")).to_have_text("This file has 5 B, the upload 1.0 MB. Choose the same file.")
    row.get_by_role("button", name="Delete half.safetensors").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    assert begun.status_code == 201


def test_a_file_that_is_there_under_another_name_is_not_sent_again(open_page: OpenPage, tmp_path: Path) -> None:
    copy = tmp_path / "renamed on my disk.safetensors"
    copy.write_bytes(TRAINED.read_bytes())
    page = open_page("/assets")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    page.locator("input[type=file]").first.set_input_files(copy)

    expect(page.get_by_text("The cloud has this file already, as shapes.safetensors.")).to_be_visible()
    assert sent == []
