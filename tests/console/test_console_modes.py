"""Each img2img mode draws the same picture from the browser as from the command line for the same strokes."""

import base64
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from generate_on_cloud.client.inpaint_sketch import derive_inpaint_sketch
from local_cloud.cloud import LocalCloud
from tests.console.canvas import canvas_of
from tests.console.form import DRAWN, choose_checkpoint, fill_small, is_job, params_of, result

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.xdist_group("console")]
OpenPage = Callable[..., Page]
ROOT = Path(__file__).resolve().parents[2]
PROMPT = "a large yellow star"
SIDE = 64
NAMES = {
    "sketch": "Sketch on the picture",
    "inpaint": "Paint the mask",
    "inpaint-sketch": "Paint what is drawn anew",
}
expect.set_options(timeout=60_000)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "source.png"
    picture = Image.new("RGB", (SIDE, SIDE), (40, 80, 200))
    ImageDraw.Draw(picture).ellipse((20, 20, 44, 44), fill=(230, 230, 230))
    picture.save(file)
    return file


@pytest.fixture
def goc(cloud: LocalCloud, tmp_path: Path) -> Callable[..., Image.Image]:
    """Draws with the command line and gives the picture that it saved."""

    def run(*words: str | Path) -> Image.Image:
        out = tmp_path / "out"
        same = ["--checkpoint", "shapes", "--width", "64", "--height", "64", "--steps", "6", "--seed", "7"]
        command = "from generate_on_cloud.cli.command import main; main()"
        subprocess.run(
            [sys.executable, "-c", command, *map(str, words), *same, "--save", str(out)],
            env={
                **os.environ,
                "GOC_URL": cloud.api_url,
                "GOC_API_KEY": cloud.admin_key,
                "XDG_CONFIG_HOME": str(tmp_path),
            },
            cwd=ROOT,
            check=True,
            timeout=240,
        )
        (saved,) = out.glob("*.png")
        return Image.open(saved)

    return run


def draw(page: Page, tab: str, source: Path, paint: bool = True) -> tuple[dict[str, Any], Image.Image]:
    """Sends the tab with two strokes on its picture; the sent parameters, and what was drawn."""
    choose_checkpoint(page)
    fill_small(page, PROMPT)
    if paint:
        canvas = canvas_of(page, source, NAMES[tab])
        canvas.brush(10)
        # In pixels of a picture of 256 by 256, which covers the same view.
        canvas.drag((60, 60), (200, 60))
        canvas.drag((128, 60), (128, 200))
    with page.expect_response(lambda answer: is_job(answer.request) and answer.ok) as sent:
        page.get_by_role("button", name="Generate on Cloud").click()
    # Until then the page may show the picture of the job before.
    with page.expect_response(
        lambda answer: f"/v1/jobs/{sent.value.json()['job_id']}" in answer.url and answer.json().get("result"),
        timeout=DRAWN,
    ):
        pass
    return params_of(sent.value.request), result(page)


def file_of(text: str, file: Path) -> Path:
    file.write_bytes(base64.b64decode(text))
    return file


def assert_same(one: Image.Image, other: Image.Image) -> None:
    assert np.array_equal(np.asarray(one.convert("RGB")), np.asarray(other.convert("RGB")))


def test_img2img(open_page: OpenPage, goc: Callable[..., Image.Image], source: Path) -> None:
    page = open_page("/generate/img2img")
    page.locator("input[type=file]").first.set_input_files(source)

    _, drawn = draw(page, "img2img", source, paint=False)

    assert_same(drawn, goc("img2img", source, PROMPT))


def test_sketch(open_page: OpenPage, goc: Callable[..., Image.Image], source: Path, tmp_path: Path) -> None:
    sent, drawn = draw(open_page("/generate/sketch"), "sketch", source)
    painted = file_of(sent["init_images"][0], tmp_path / "painted.png")

    assert np.any(np.asarray(Image.open(painted).convert("RGB")) != np.asarray(Image.open(source)))
    assert_same(drawn, goc("img2img", painted, PROMPT))


def test_inpaint(open_page: OpenPage, goc: Callable[..., Image.Image], source: Path, tmp_path: Path) -> None:
    page = open_page("/generate/inpaint")
    sent, drawn = draw(page, "inpaint", source)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save mask").click()
    mask = tmp_path / "mask.png"
    mask.write_bytes(Path(saved.value.path()).read_bytes())

    assert mask.read_bytes() == base64.b64decode(sent["mask"])
    assert_same(drawn, goc("inpaint", source, mask, PROMPT))


def test_inpaint_sketch(open_page: OpenPage, goc: Callable[..., Image.Image], source: Path, tmp_path: Path) -> None:
    page = open_page("/generate/sketch")
    painted = file_of(draw(page, "sketch", source)[0]["init_images"][0], tmp_path / "painted.png")
    page.get_by_role("tab", name="Inpaint sketch").click()
    sent, drawn = draw(page, "inpaint-sketch", source)
    original = Image.open(source).convert("RGB")
    wanted = derive_inpaint_sketch(
        painted=Image.open(painted).convert("RGB"), original=original, mask_blur=sent.get("mask_blur", 4)
    )
    wanted.image.save(tmp_path / "image.png")
    wanted.mask.save(tmp_path / "mask.png")

    for name, picture in (("init_images", wanted.image), ("mask", wanted.mask)):
        text = sent[name][0] if name == "init_images" else sent[name]
        assert_same(Image.open(io.BytesIO(base64.b64decode(text))), picture)
    assert_same(drawn, goc("inpaint", tmp_path / "image.png", tmp_path / "mask.png", PROMPT))


def test_inpaint_upload(open_page: OpenPage, goc: Callable[..., Image.Image], source: Path, tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    picture = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(picture).rectangle((16, 16, 48, 40), fill=255)
    picture.save(mask)
    page = open_page("/generate/inpaint-upload")
    page.locator("input[type=file]").first.set_input_files(source)
    page.get_by_role("group", name="Mask (white is drawn anew)").locator("input[type=file]").set_input_files(mask)

    _, drawn = draw(page, "inpaint-upload", source, paint=False)

    assert_same(drawn, goc("inpaint", source, mask, PROMPT))


def test_the_result_is_compared_with_the_picture_it_was_made_from(open_page: OpenPage, source: Path) -> None:
    page = open_page("/generate/img2img")
    page.locator("input[type=file]").first.set_input_files(source)
    draw(page, "img2img", source, paint=False)
    group = page.get_by_role("group", name="Before and after")
    before = group.get_by_role("img", name="Before")
    slider = group.get_by_role("slider", name="How much of the left picture is shown")

    slider.press("Home")
    expect(before).to_have_attribute("style", re.compile(r"inset\(0px 100%"))
    slider.press("End")
    expect(before).to_have_attribute("style", re.compile(r"inset\(0px 0%"))
    group.get_by_role("button", name="Swap").click()
    expect(group.get_by_role("img", name="After")).to_have_attribute("style", re.compile(r"inset\(0px 0%"))
    group.get_by_text("Side by side").click()
    left, right = (group.get_by_role("img", name=name).bounding_box() for name in ("After", "Before"))
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] <= right["x"]


def test_the_seed_of_the_last_result_is_used_again_and_then_the_next(open_page: OpenPage, source: Path) -> None:
    page = open_page("/generate/img2img")
    page.locator("input[type=file]").first.set_input_files(source)
    draw(page, "img2img", source, paint=False)
    seed = page.get_by_role("textbox", name="Seed (-1: random)")
    page.get_by_role("button", name="Random seed").click()
    expect(seed).to_have_value("-1")
    page.get_by_role("button", name="Seed of the last result").click()
    expect(seed).to_have_value("7")
    page.get_by_role("button", name="Next seed").click()
    expect(seed).to_have_value("8")


def test_the_size_comes_from_the_picture_is_locked_and_swapped(open_page: OpenPage, tmp_path: Path) -> None:
    file = tmp_path / "wide.png"
    Image.new("RGB", (640, 320)).save(file)
    page = open_page("/generate/img2img")
    page.locator("input[type=file]").first.set_input_files(file)
    width, height = (page.get_by_role("textbox", name=name, exact=True) for name in ("Width", "Height"))
    expect(width).to_have_value("512")
    choose_checkpoint(page)
    expect(width).to_have_value("64")  # what it learned
    expect(height).to_have_value("64")

    page.get_by_role("button", name="Size of the source picture").click()
    expect(width).to_have_value("640")
    expect(height).to_have_value("320")
    page.get_by_role("button", name="Lock the ratio").click()
    width.fill("512")
    expect(height).to_have_value("256")
    page.get_by_role("button", name="Swap width and height").click()
    expect(width).to_have_value("256")
    height.fill("1024")
    expect(width).to_have_value("512")
