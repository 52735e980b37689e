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
from tests.console.form import is_job, params_of

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


@pytest.fixture(scope="module")
def loras(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Names of a LoRA for the checkpoint, with a trigger word, and of one for another family."""
    folder = tmp_path_factory.mktemp("loras")
    layer = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    names = ("brushwork", "otherfamily")
    for name, width in zip(names, (768, 2048), strict=True):
        pair = {
            f"{layer}.lora_down.weight": torch.zeros(4, width),
            f"{layer}.lora_up.weight": torch.zeros(320, 4),
            f"{layer}.alpha": torch.tensor(4.0),
        }
        words = {"modelspec.trigger_phrase": "thick oil paint"} if name == "brushwork" else {}
        base = {"ss_base_model_version": "sd_v1" if width == 768 else "sdxl_base_v1-0"}
        save_file(pair, folder / f"{name}.safetensors", metadata={**base, **words})
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        for name in names:
            service.assets.upload(folder / f"{name}.safetensors", "lora")
    return names


def test_the_browser_of_networks_shows_what_fits_and_adds_tag_and_trigger_word(
    open_page: OpenPage, loras: tuple[str, str]
) -> None:
    fitting, other = loras
    page = open_page("/generate/txt2img")
    page.get_by_role("combobox", name="Checkpoint used on cloud").click()
    page.get_by_role("option", name="shapes").click()
    prompt_of(page).fill("a cat")
    page.get_by_role("button", name="LoRA, hypernetworks, embeddings").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name=f"Add {fitting}")).to_be_visible()
    expect(dialog.get_by_role("button", name=f"Add {other}")).to_have_count(0)
    dialog.get_by_label("Only what fits the checkpoint").uncheck()
    expect(dialog.get_by_role("button", name=f"Add {other}")).to_be_visible()
    dialog.get_by_label("Search names, tags and trigger words").fill("oil thick")
    expect(dialog.get_by_role("listitem")).to_have_count(1)
    dialog.get_by_role("button", name=f"Add {fitting}").click()
    dialog.get_by_role("button", name="thick oil paint").click()
    page.keyboard.press("Escape")

    expect(prompt_of(page)).to_have_value(f"a cat <lora:{fitting}:1>, thick oil paint")


def test_tokens_are_counted_for_each_chunk_and_an_open_bracket_is_named(open_page: OpenPage) -> None:
    page = open_page("/generate/txt2img")
    prompt_of(page).fill("a (cat:1.2) <lora:x:1>")
    expect(page.get_by_text("Tokens: 2/75")).to_be_visible()
    prompt_of(page).fill("cat " * 80 + "(dog")

    expect(page.get_by_text("Tokens: 75/75 · 6/75")).to_be_visible()
    expect(page.get_by_text("The bracket ( has no other half")).to_be_visible()


def test_a_style_is_imported_chosen_and_merged_into_what_is_sent(open_page: OpenPage, tmp_path: Path) -> None:
    table = tmp_path / "styles.csv"
    table.write_text('name,prompt,negative_prompt\nink,"{prompt}, ink drawing",colour\n')
    page = open_page("/generate/txt2img")
    page.get_by_role("combobox", name="Checkpoint used on cloud").click()
    page.get_by_role("option", name="shapes").click()
    prompt_of(page).fill("a cat")
    page.get_by_role("button", name="Edit styles").click()
    with page.expect_response(lambda answer: answer.request.method == "PUT" and answer.ok):
        page.get_by_role("dialog").locator("input[type=file]").set_input_files(table)
    page.keyboard.press("Escape")
    page.reload()
    page.get_by_role("combobox", name="Styles").click()
    page.get_by_role("option", name="ink").click()
    page.route("**/v1/jobs", lambda route: route.abort())
    with page.expect_request(is_job) as sent:
        page.get_by_role("button", name="Generate on Cloud").click()

    params = params_of(sent.value)
    assert (params["prompt"], params["negative_prompt"]) == ("a cat, ink drawing", "colour")

    page.keyboard.press("Escape")
    page.get_by_role("button", name="Put into the prompt").click()
    expect(prompt_of(page)).to_have_value("a cat, ink drawing")
    expect(page.get_by_role("textbox", name="Negative prompt", exact=True)).to_have_value("colour")


def test_alt_and_the_arrows_bring_sent_prompts_back(open_page: OpenPage) -> None:
    page = open_page("/generate/txt2img")
    page.get_by_role("combobox", name="Checkpoint used on cloud").click()
    page.get_by_role("option", name="shapes").click()
    page.route("**/v1/jobs", lambda route: route.abort())
    for text in ("first", "second"):
        prompt_of(page).fill(text)
        with page.expect_request(is_job):
            page.get_by_role("button", name="Generate on Cloud").click()
    prompt = prompt_of(page)
    prompt.fill("third")
    prompt.press("Alt+ArrowUp")
    expect(prompt).to_have_value("second")
    prompt.press("Alt+ArrowUp")
    expect(prompt).to_have_value("first")
    prompt.press("Alt+ArrowDown")

    expect(prompt).to_have_value("second")
