"""A user's way through the console, in a browser, against the real local cloud: sign in, draw, look, save."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from demo_models.checkpoint import TRAINED
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.accounts import CreateKey
from generate_on_cloud.contract.jobs import JobStatus
from inference_container.pictures.control_maps import make_map
from local_cloud.cloud import LocalCloud
from tests.console.form import DRAWN, choose_checkpoint, fill_small, result
from tests.console.model_files import stretched

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("console")]
OpenPage = Callable[..., Page]
WEIGHTS = TRAINED.parent
CANVAS_FILE = "canvas => canvas.toDataURL('image/png')"
expect.set_options(timeout=60_000)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "source.png"
    image = Image.new("RGB", (64, 64), (40, 80, 200))
    image.save(file)
    return file


def test_a_pasted_key_opens_a_session_and_signing_out_ends_it(open_page: OpenPage, cloud: LocalCloud) -> None:
    page = open_page(signed_in=False)
    page.get_by_label("API key").fill(cloud.admin_key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Generate", exact=True)).to_be_visible()
    key = page.evaluate("sessionStorage.getItem('goc.key')")

    page.get_by_role("button", name="Settings").click()
    with page.expect_response(lambda response: response.url.endswith("/v1/sessions/current")):
        page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()

    assert key not in (None, cloud.admin_key)
    assert page.evaluate("sessionStorage.getItem('goc.key')") is None


def test_a_wrong_key_is_refused_with_the_reason(open_page: OpenPage) -> None:
    page = open_page(signed_in=False)
    page.get_by_label("API key").fill("goc_wrong")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_contain_text("The key is wrong or was revoked")


def test_without_a_checkpoint_the_button_says_what_is_missing(open_page: OpenPage) -> None:
    page = open_page("/generate/txt2img")
    page.get_by_role("button", name="Generate on Cloud").click()

    expect(page.get_by_role("alert")).to_have_text("Choose the checkpoint to use on the cloud first.")


def test_txt2img_draws_and_the_file_on_disk_has_its_infotext(open_page: OpenPage) -> None:
    page = open_page("/generate/txt2img")
    choose_checkpoint(page)
    fill_small(page, "a large red circle on a white background")
    page.get_by_role("button", name="Generate on Cloud").click()

    picture = result(page)

    assert picture.size == (64, 64)
    assert "Seed: 7" in picture.info["parameters"]
    expect(page.get_by_text("Steps: 6").first).to_be_visible()


def test_a_unit_of_controlnet_guides_the_picture(open_page: OpenPage, source: Path, cloud: LocalCloud) -> None:
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        service.assets.upload(WEIGHTS / "edges.safetensors", "controlnet")
    page = open_page("/generate/txt2img")
    choose_checkpoint(page)
    fill_small(page, "a large red circle on a white background")
    page.get_by_role("button", name="ControlNet: 0 in use").click()
    page.get_by_role("button", name="Add a unit").click()
    page.get_by_role("button", name="Generate on Cloud").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose a model for each ControlNet unit")

    unit = page.get_by_role("group", name="Unit 1")
    unit.locator("input[type=file]").set_input_files(source)
    unit.get_by_role("combobox", name="Preprocessor").click()
    page.get_by_role("option", name="canny").click()
    expect(unit.get_by_role("textbox", name="First threshold")).to_have_value("100")
    unit.get_by_role("textbox", name="First threshold").fill("50")
    unit.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name="edges").click()
    page.get_by_role("button", name="Generate on Cloud").click()

    infotext = result(page).info["parameters"]
    assert "Module: canny, Model: edges, Weight: 1" in infotext
    assert "Threshold A: 50" in infotext


def test_a_unit_shows_the_map_that_the_container_makes_of_its_picture_without_a_job(
    open_page: OpenPage, tmp_path: Path
) -> None:
    file = tmp_path / "disc.png"
    image = Image.new("RGB", (96, 64), (230, 230, 240))
    ImageDraw.Draw(image).ellipse((20, 10, 70, 54), fill=(180, 30, 40), outline=(20, 20, 20), width=3)
    image.save(file)
    page = open_page("/generate/txt2img")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.get_by_role("button", name="ControlNet: 0 in use").click()
    page.get_by_role("button", name="Add a unit").click()
    unit = page.get_by_role("group", name="Unit 1")
    expect(unit.get_by_role("combobox", name="Preprocessor")).to_have_value("none")
    expect(unit.get_by_role("button", name="Preview of unit 1")).to_have_count(0)
    unit.get_by_role("combobox", name="Preprocessor").click()
    page.get_by_role("option", name="canny").click()
    unit.get_by_role("button", name="Preview of unit 1").click()
    expect(unit.get_by_role("status")).to_have_text("Choose a picture for the unit first.")

    unit.locator("input[type=file]").set_input_files(file)
    # As long as nothing is chosen the map's shorter side is 512.
    preview = unit.get_by_role("img", name="768 × 512")
    expect(preview).to_be_visible()
    unit.get_by_role("textbox", name="Preprocessor resolution").fill("64")
    unit.get_by_role("textbox", name="First threshold").fill("40")
    preview = unit.get_by_role("img", name="96 × 64")
    expect(preview).to_be_visible()

    shown = Image.open(io.BytesIO(base64.b64decode(preview.evaluate(CANVAS_FILE).split(",")[1]))).convert("RGB")
    made = make_map(np.asarray(image), "canny", resolution=64, threshold_a=40, threshold_b=200)
    assert (np.asarray(shown) == made).all()
    assert made.any()
    assert sent == []


def test_a_painted_mask_redraws_the_painted_part_only(open_page: OpenPage, source: Path, cloud: LocalCloud) -> None:
    page = open_page("/generate/inpaint")
    choose_checkpoint(page)
    fill_small(page, "a large yellow star")
    page.locator("input[type=file]").first.set_input_files(source)
    canvas = page.get_by_role("application", name="Paint the mask")
    # Not below the bar with the button.
    canvas.evaluate("canvas => canvas.scrollIntoView({block: 'center'})")
    box = canvas.bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    canvas.focus()
    for _ in range(12):
        page.keyboard.press("]")
    page.mouse.down()
    page.mouse.move(middle[0] + 30, middle[1], steps=4)
    page.mouse.up()
    page.get_by_role("combobox", name="Masked content").click()
    page.get_by_role("option", name="original").click()
    page.get_by_role("combobox", name="Inpaint area").click()
    page.get_by_role("option", name="Whole picture").click()
    page.get_by_role("textbox", name="Mask blur").fill("0")
    page.get_by_role("button", name="Generate on Cloud").click()

    drawn = np.asarray(result(page).convert("RGB")).astype(int)

    changed = np.abs(drawn - (40, 80, 200)).max(axis=2) > 8
    assert not changed[:8].any()
    assert not changed[-8:].any()
    assert changed[24:40, 24:48].any()
    assert page.url.endswith("#/generate/inpaint")


def test_strokes_survive_a_reload_and_undo_takes_them_back_one_by_one(open_page: OpenPage, source: Path) -> None:
    page = open_page("/generate/inpaint")
    page.locator("input[type=file]").first.set_input_files(source)
    canvas = page.get_by_role("application", name="Paint the mask")
    for offset in (20, 120):
        canvas.click(position={"x": offset, "y": 60})
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_enabled()
    page.wait_for_function(
        """() => new Promise((done) => {
            const opened = indexedDB.open("keyval-store");
            opened.onsuccess = () => {
                const asked = opened.result.transaction("keyval").objectStore("keyval").get("goc.form");
                asked.onsuccess = () => done(asked.result?.state?.drawings?.inpaint?.steps?.length === 2);
            };
        })"""
    )
    page.reload()

    canvas.wait_for()
    expect(undo).to_be_enabled()
    undo.click()
    expect(undo).to_be_enabled()
    canvas.press("Control+z")
    expect(undo).to_be_disabled()
    canvas.press("Control+Shift+z")
    expect(undo).to_be_enabled()


def test_what_cannot_be_read_as_a_picture_is_said_at_once(open_page: OpenPage, tmp_path: Path) -> None:
    wrong = tmp_path / "<img src=x onerror=alert(1)>.png"
    wrong.write_bytes(b"not a picture")
    page = open_page("/generate/img2img")
    page.locator("input[type=file]").first.set_input_files(wrong)

    expect(page.get_by_role("alert")).to_contain_text("is not a picture that can be read")
    expect(page.get_by_role("alert")).to_contain_text("<img src=x")


def test_a_removed_picture_can_be_chosen_again(open_page: OpenPage, source: Path) -> None:
    page = open_page("/generate/img2img")
    for _ in range(2):
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Choose a file").click()
        chooser.value.set_files(source)
        expect(page.get_by_role("img", name="Source picture")).to_be_visible()
        page.get_by_role("button", name="Remove", exact=True).click()
        expect(page.get_by_role("img", name="Source picture")).to_have_count(0)


def test_a_mask_of_another_size_is_taken_and_both_sizes_are_said(
    open_page: OpenPage, source: Path, tmp_path: Path
) -> None:
    mask = tmp_path / "mask.png"
    Image.new("L", (200, 100), 255).save(mask)
    page = open_page("/generate/inpaint-upload")
    page.locator("input[type=file]").nth(0).set_input_files(source)
    page.locator("input[type=file]").nth(1).set_input_files(mask)

    expect(page.get_by_role("status").filter(has_text="The mask is 200 × 100, the picture 64 × 64.")).to_be_visible()
    page.locator("input[type=file]").nth(1).set_input_files(source)
    expect(page.get_by_role("status").filter(has_text="The mask is")).to_have_count(0)


def test_the_history_leads_to_the_result_and_from_there_to_another_tab(open_page: OpenPage, cloud: LocalCloud) -> None:
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        job = next(iter(service.jobs.list(status=JobStatus.SUCCEEDED)), None)
    assert job is not None, "an earlier test has drawn"
    page = open_page("/jobs")
    line = page.get_by_role("button", name=job.job_id)
    expect(line).to_contain_text(f"→ {job.task} →")
    expect(line).to_contain_text("succeeded")
    line.click()
    page.get_by_role("button", name="Send to").click()
    page.get_by_role("menuitem", name="Inpaint", exact=True).click()

    expect(page.get_by_role("application", name="Paint the mask")).to_be_visible()
    expect(page.get_by_role("combobox", name="Checkpoint used on cloud")).to_have_value("shapes (Stable Diffusion 1.x)")


def test_a_key_that_ends_locks_the_page_and_keeps_the_form(open_page: OpenPage, cloud: LocalCloud) -> None:
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        made = service.keys.create(CreateKey(label="soon revoked"))
    page = open_page("/generate/txt2img", signed_in=False)
    page.get_by_label("API key").fill(made.key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("textbox", name="Prompt", exact=True).fill("what I typed")
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        service.keys.revoke(made.key_id)
    expect(page.get_by_text("Your key no longer works.")).to_be_visible(timeout=180_000)
    page.get_by_label("API key").fill(cloud.admin_key)
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("textbox", name="Prompt", exact=True)).to_have_value("what I typed")


def test_a_model_file_is_sent_in_parts_and_what_the_inspection_says_is_shown(
    open_page: OpenPage, tmp_path: Path, cloud: LocalCloud
) -> None:
    again = tmp_path / "again.safetensors"
    sha256 = stretched(again, TRAINED.stat().st_size)
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(b"this is no model" * 100)
    page = open_page("/assets")
    page.locator("input[type=file]").first.set_input_files([again, wrong])

    expect(page.get_by_role("status").filter(has_text="ready")).to_be_visible(timeout=DRAWN)
    expect(page.get_by_role("alert")).to_contain_text("it is a text that begins", timeout=DRAWN)
    row = page.get_by_role("row", name="again.safetensors")
    expect(row).to_contain_text("Stable Diffusion 1.x")
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        stored = {asset.name: asset.sha256 for asset in service.assets.list()}
    assert stored["again.safetensors"] == sha256

    row.get_by_role("button", name="Delete again.safetensors").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
