"""The prompt's keys, a dropped picture and Soft inpainting, in a browser against the real local cloud; no job runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect
from safetensors.torch import save_file

from generate_on_cloud.client.cloud import GenerateOnCloud
from local_cloud.cloud import LocalCloud

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("console")]
OpenPage = Callable[..., Page]
PICTURES: list[dict[str, Any]] = json.loads(
    (Path(__file__).with_name("vectors") / "picture_texts.json").read_text(encoding="utf-8")
)
DROP = """(data) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], "dropped.png"));
    const options = {dataTransfer: transfer, bubbles: true, cancelable: true};
    return document.querySelector("main").dispatchEvent(new DragEvent("drop", options));
}"""


@pytest.fixture(scope="module")
def embedding(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of an uploaded embedding."""
    file = tmp_path_factory.mktemp("embedding") / "easyshape.safetensors"
    save_file({"emb_params": torch.full((2, 768), 0.01)}, file)
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        service.assets.upload(file, "embedding")
    return file.stem


def prompt_of(page: Page) -> Any:
    return page.get_by_role("textbox", name="Prompt", exact=True)


def test_control_and_the_arrows_change_the_weight_at_the_caret(open_page: OpenPage) -> None:
    page = open_page("/generate/txt2img")
    prompt = prompt_of(page)
    prompt.fill("a red cat")

    prompt.press("End")
    prompt.press("Control+ArrowUp")
    expect(prompt).to_have_value("a red (cat:1.1)")
    prompt.press("Control+ArrowUp")
    expect(prompt).to_have_value("a red (cat:1.2)")
    assert prompt.evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)") == "cat"
    prompt.press("Control+ArrowDown")
    prompt.press("Control+ArrowDown")
    expect(prompt).to_have_value("a red cat")


def test_typing_offers_an_embedding_that_the_keys_take(open_page: OpenPage, embedding: str) -> None:
    page = open_page("/generate/txt2img")
    prompt = prompt_of(page)
    with page.expect_response(lambda response: "type=embedding" in response.url):
        page.reload()
    prompt.click()
    prompt.press_sequentially("a cat, easy")

    page.get_by_role("option", name=embedding).wait_for()
    prompt.press("ArrowDown")
    prompt.press("Enter")

    expect(prompt).to_have_value(f"a cat, {embedding}")
    prompt.press_sequentially(", big")
    expect(prompt).to_have_value(f"a cat, {embedding}, big")


def test_a_dropped_picture_changes_the_form_only_when_that_is_confirmed(open_page: OpenPage) -> None:
    page = open_page("/generate/txt2img")
    prompt_of(page).fill("a dog")
    picture = next(one for one in PICTURES if one["name"] == "PNG, plain")

    left_to_the_browser = page.evaluate(DROP, picture["file"])

    assert not left_to_the_browser
    expect(page.get_by_role("dialog").get_by_role("row", name="seed")).to_contain_text("7")
    expect(prompt_of(page)).to_have_value("a dog")
    page.get_by_role("button", name="Take over").click()
    expect(prompt_of(page)).to_have_value("a café")


def test_a_dropped_picture_without_an_infotext_says_so(open_page: OpenPage) -> None:
    page = open_page("/generate/txt2img")
    prompt_of(page).wait_for()
    picture = next(one for one in PICTURES if one["name"] == "PNG without a text")

    page.evaluate(DROP, picture["file"])

    expect(page.get_by_role("alert")).to_have_text("dropped.png has no infotext.")


def test_soft_inpainting_is_in_the_inpaint_tabs_only(open_page: OpenPage) -> None:
    page = open_page("/generate/inpaint")
    page.get_by_label("Soft inpainting").check()
    expect(page.get_by_role("textbox", name="Transition contrast boost")).to_have_value("4")

    page.get_by_role("tab", name="img2img").click()
    expect(page.get_by_role("textbox", name="Image CFG scale")).to_be_visible()
    expect(page.get_by_label("Soft inpainting")).to_have_count(0)
