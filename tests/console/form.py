"""The console's form as a test fills it, what it sends, and the picture that comes of it."""

import io
import json
from pathlib import Path
from typing import Any, Final

from PIL import Image
from playwright.sync_api import Page, Request

DRAWN: Final = 240_000
"""Milliseconds until a job of the demo model has ended, on a busy machine."""


def choose_checkpoint(page: Page) -> None:
    page.get_by_role("combobox", name="Checkpoint used on cloud").click()
    page.get_by_role("option", name="shapes").click()


def fill_small(page: Page, prompt: str) -> None:
    page.get_by_role("textbox", name="Prompt", exact=True).fill(prompt)
    for name, value in (("Width", "64"), ("Height", "64"), ("Sampling steps", "6"), ("Seed (-1: random)", "7")):
        page.get_by_role("textbox", name=name, exact=True).fill(value)


def result(page: Page) -> Image.Image:
    """The picture of the ended job, as its Save button puts it on the disk."""
    page.get_by_role("button", name="Save", exact=True).wait_for(timeout=DRAWN)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save", exact=True).click()
    return Image.open(io.BytesIO(Path(saved.value.path()).read_bytes()))


def params_of(request: Request) -> dict[str, Any]:
    params: dict[str, Any] = json.loads(request.post_data or "{}")["params"]
    return params


def is_job(request: Request) -> bool:
    if request.method != "POST" or not request.url.endswith("/v1/jobs"):
        return False
    return not json.loads(request.post_data or "{}").get("dry_run")
