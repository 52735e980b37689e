"""The way of the guide, step by step in the real console; `make guide` takes its pictures on the way.

Without GUIDE_PICTURES=folder the way is walked in English and no picture is taken.
"""

import itertools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from demo_models.checkpoint import TRAINED
from generate_on_cloud.client.cloud import GenerateOnCloud
from local_cloud.cloud import LocalCloud
from tests.console.form import is_job
from tests.console.pictures import Camera, Film

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.xdist_group("console")]
OpenPage = Callable[..., Page]
ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = TRAINED.parent
DRAWING = ROOT / "examples" / "drawing.png"
MASK = ROOT / "examples" / "mask.png"
PICTURES = os.environ.get("GUIDE_PICTURES")
LANGUAGES = ("en", "ja", "zh-Hans") if PICTURES else ("en",)
DRAWN = 300_000
"""Milliseconds until a job has ended, on a busy machine."""
expect.set_options(timeout=90_000)


@dataclass(frozen=True)
class Reader:
    """Somebody who follows the guide in one of the languages."""

    page: Page
    texts: dict[str, Any]

    def word(self, key: str) -> str:
        group, name = key.split(".")
        return str(self.texts[group][name])

    def button(self, key: str) -> Locator:
        return self.page.get_by_role("button", name=self.word(key))

    def save(self) -> Locator:
        return self.page.get_by_role("button", name=self.word("jobs.save"), exact=True)

    def field(self, name: str) -> Locator:
        return self.page.get_by_role("textbox", name=self.word(f"field.{name}"), exact=True)

    def open(self, tab: str) -> None:
        self.page.get_by_role("tab", name=self.word(f"tab.{tab}"), exact=True).click()

    def choose(self, key: str, option: str) -> None:
        self.page.get_by_role("combobox", name=self.word(key)).click()
        self.page.get_by_role("option", name=option).first.click()

    def fill(self, **values: str) -> None:
        for name, value in values.items():
            self.field(name).fill(value)

    def source(self, file: Path) -> None:
        self.page.locator("input[type=file]").first.set_input_files(file)

    def canvas(self, tab: str) -> Locator:
        view = self.page.get_by_role("application", name=self.word(f"canvas.{tab}"))
        view.evaluate("view => view.scrollIntoView({block: 'center'})")
        self.page.wait_for_function("() => document.querySelector('.canvas-view canvas').width > 300")
        return view

    def paint(self, view: Locator, *places: tuple[float, float]) -> None:
        """Over places of the picture, from 0 to 1."""
        for action, place in zip(("move", *["drag"] * len(places[1:])), places, strict=True):
            self.page.mouse.move(*spot(view, *place), steps=1 if action == "move" else 6)
            if action == "move":
                self.page.mouse.down()
        self.page.mouse.up()

    def generate(self) -> None:
        """And waits until the picture is there."""
        with self.page.expect_response(lambda answer: is_job(answer.request) and answer.ok) as made:
            self.button("generate.send").click()
        job_id = made.value.json()["job_id"]
        with self.page.expect_response(
            lambda answer: f"/v1/jobs/{job_id}" in answer.url and answer.json().get("result"), timeout=DRAWN
        ):
            pass
        self.save().or_(self.page.get_by_text(self.word("jobs.caption"), exact=True)).first.wait_for()
        self.page.wait_for_load_state("networkidle")

    def top(self) -> None:
        self.page.evaluate("scrollTo(0, 0)")


def spot(view: Locator, x: float, y: float) -> tuple[float, float]:
    box = view.bounding_box()
    assert box is not None
    side = min(box["width"], box["height"])
    left, top = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - side) / 2
    return left + x * side, top + y * side


@pytest.fixture(scope="module")
def describers(cloud: LocalCloud) -> None:
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        service.assets.upload(WEIGHTS / "interrogator.safetensors", "interrogator")
        service.assets.upload(WEIGHTS / "tagger.safetensors", "tagger")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.usefixtures("describers")
def test_the_whole_way_of_the_guide(open_page: OpenPage, cloud: LocalCloud, tmp_path: Path, language: str) -> None:
    page = open_page("/assets", language=language, height=860)
    reader = Reader(page, json.loads((ROOT / f"console/src/locales/{language}.json").read_text(encoding="utf-8")))
    camera = Camera(page, Path(PICTURES) / language if PICTURES else None)
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        model = upload_a_model(reader, camera, tmp_path)
        # The reader of the next language has the same file, and it must not be there already.
        service.assets.delete(next(asset.asset_id for asset in service.assets.list() if asset.name == model))
    page.goto(f"{cloud.endpoint_url}/#/generate/txt2img")
    reader.choose("generate.checkpoint", "shapes")
    reader.fill(prompt="a large red heart in the center on a blue background")
    reader.fill(width="64", height="64", steps="20", seed="7")
    reader.generate()
    with page.expect_download() as saved:
        reader.save().click()
    assert saved.value.suggested_filename.endswith(".png")
    camera.shot("txt2img")
    five_modes(reader, camera)
    interrogate(reader, camera)
    keep_going(reader, camera, cloud)


def upload_a_model(reader: Reader, camera: Camera, folder: Path) -> str:
    file = folder / "dream.safetensors"
    file.write_bytes((WEIGHTS / "shapes-inpaint.safetensors").read_bytes())
    reader.page.locator("input[type=file]").first.set_input_files(file)
    expect(reader.page.get_by_role("status").filter(has_text=reader.word("upload.done"))).to_be_visible(timeout=DRAWN)
    expect(reader.page.get_by_role("row").filter(has_text=file.name)).to_be_visible(timeout=DRAWN)
    camera.shot("upload")
    return file.name


def five_modes(reader: Reader, camera: Camera) -> None:
    reader.open("img2img")
    reader.source(DRAWING)
    reader.fill(prompt="a large green heart in the center on a yellow background", denoising_strength="0.75")
    reader.generate()
    reader.top()
    camera.shot("img2img")

    reader.open("sketch")
    reader.source(DRAWING)
    view = reader.canvas("sketch")
    reader.page.get_by_role("textbox", name=reader.word("canvas.color")).fill("#ffd43b")
    for _ in range(4):
        view.press("]")
    reader.paint(view, (0.5, 0.25), (0.35, 0.75), (0.75, 0.42), (0.25, 0.42), (0.65, 0.75), (0.5, 0.25))
    reader.fill(prompt="a medium yellow star in the center on a blue background")
    reader.generate()
    reader.canvas("sketch")
    camera.shot("sketch")

    reader.open("inpaint")
    reader.source(DRAWING)
    view = reader.canvas("inpaint")
    for _ in range(10):
        view.press("]")
    reader.paint(view, (0.35, 0.35), (0.65, 0.35), (0.35, 0.5), (0.65, 0.5), (0.35, 0.65), (0.65, 0.65))
    reader.fill(prompt="a large red heart in the center on a blue background")
    reader.choose("field.inpainting_fill", reader.word("inpaint.noise"))
    reader.choose("field.inpaint_full_res", reader.word("inpaint.whole"))
    reader.generate()
    reader.canvas("inpaint")
    camera.shot("inpaint")

    reader.open("inpaint-sketch")
    reader.source(DRAWING)
    view = reader.canvas("inpaint-sketch")
    reader.page.get_by_role("textbox", name=reader.word("canvas.color")).fill("#2f9e44")
    for _ in range(8):
        view.press("]")
    reader.paint(view, (0.4, 0.4), (0.6, 0.4), (0.4, 0.5), (0.6, 0.5), (0.4, 0.6), (0.6, 0.6))
    reader.fill(prompt="a large green circle in the center on a blue background")
    reader.choose("field.inpainting_fill", reader.word("inpaint.original"))
    reader.generate()
    reader.canvas("inpaint-sketch")
    camera.shot("inpaint-sketch")

    reader.open("inpaint-upload")
    reader.source(DRAWING)
    mask = reader.page.get_by_role("group", name=reader.word("picture.mask"))
    mask.locator("input[type=file]").set_input_files(MASK)
    mask.get_by_role("img").wait_for()
    reader.fill(prompt="a medium yellow star in the center on a blue background")
    reader.choose("field.inpainting_fill", reader.word("inpaint.noise"))
    reader.generate()
    reader.page.get_by_role("group", name=reader.word("picture.source")).evaluate(
        "group => group.scrollIntoView({block: 'start'})"
    )
    camera.shot("inpaint-upload")


def interrogate(reader: Reader, camera: Camera) -> None:
    reader.open("interrogate")
    reader.source(DRAWING)
    reader.generate()
    expect(reader.page.get_by_text(reader.word("jobs.caption"), exact=True)).to_be_visible(timeout=DRAWN)
    reader.page.get_by_text("DeepBooru", exact=True).click()
    reader.generate()
    camera.shot("interrogate")


def keep_going(reader: Reader, camera: Camera, cloud: LocalCloud) -> None:
    """The button takes the next job while one runs; the history has them all."""
    reader.open("txt2img")
    for seed in ("11", "12", "13"):
        reader.fill(seed=seed)
        with reader.page.expect_response(lambda answer: is_job(answer.request) and answer.ok):
            reader.button("generate.send").click()
    reader.page.goto(f"{cloud.endpoint_url}/#/jobs")
    expect(reader.page.get_by_text(reader.word("status.succeeded")).nth(3)).to_be_visible(timeout=DRAWN)
    reader.page.wait_for_load_state("networkidle")
    camera.shot("jobs")


@pytest.mark.skipif(PICTURES is None, reason="only for the README's film: make guide")
def test_a_whole_session_from_an_empty_browser_to_a_saved_inpaint(
    open_page: OpenPage, cloud: LocalCloud, tmp_path: Path
) -> None:
    page = open_page("/", signed_in=False, width=1180, height=760)
    film = Film(page)
    reader = Reader(page, json.loads((ROOT / "console/src/locales/en.json").read_text(encoding="utf-8")))
    key = page.get_by_label("API key")
    key.wait_for()
    film.frame(1200)
    key.fill(cloud.admin_key)
    film.frame(700)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Model files").click()
    page.get_by_role("heading", name="Model files").wait_for()
    film.frame(900)
    file = tmp_path / "dream.safetensors"
    file.write_bytes((WEIGHTS / "shapes-inpaint.safetensors").read_bytes())
    page.locator("input[type=file]").first.set_input_files(file)
    film.frame(500)
    expect(page.get_by_role("status").filter(has_text="ready").first).to_be_visible(timeout=DRAWN)
    film.frame(1200)
    page.goto(f"{cloud.endpoint_url}/#/generate/inpaint")
    reader.choose("generate.checkpoint", "dream (")
    film.frame(600)
    reader.fill(prompt="a large red heart in the center on a blue background")
    reader.fill(width="64", height="64", steps="20", seed="7")
    film.frame(900)
    reader.source(DRAWING)
    view = reader.canvas("inpaint")
    film.frame(900)
    for _ in range(10):
        view.press("]")
    places = [(0.33 + 0.34 * (i % 2), 0.3 + 0.1 * (i // 2)) for i in range(10)]
    for number, (start, end) in enumerate(itertools.pairwise(places)):
        page.mouse.move(*spot(view, *start))
        if number == 0:
            page.mouse.down()
        for part in (0.5, 1.0):
            x, y = (a + (b - a) * part for a, b in zip(start, end, strict=True))
            page.mouse.move(*spot(view, x, y), steps=4)
            film.frame(90, spot(view, x, y))
    page.mouse.up()
    film.frame(700)
    reader.button("generate.send").click()
    film.frame(500)
    save = reader.save()
    while not save.is_visible():
        film.frame(250)
    page.wait_for_load_state("networkidle")
    film.frame(1500)
    box = save.bounding_box()
    assert box is not None
    film.frame(500, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2))
    with page.expect_download():
        save.click()
    film.frame(2500, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2))
    assert PICTURES is not None
    film.save(Path(PICTURES) / "session.webp")
