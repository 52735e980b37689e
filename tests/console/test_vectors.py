"""What the console's TypeScript is held to is what our Python makes of the same pictures."""

import base64
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from generate_on_cloud.client.inpaint_sketch import derive_inpaint_sketch
from generate_on_cloud.contract.controlnet import ControlNetUnit
from generate_on_cloud.contract.preprocessors import PREPROCESSORS
from generate_on_cloud.contract.scripts import RANGES, SoftInpainting
from generate_on_cloud.model_files.architectures import fits
from generate_on_cloud.model_files.family_names import Family
from generate_on_cloud.webui.picture_texts import texts_in
from generate_on_cloud.webui.prompt.styles import apply_styles, read_styles
from tests.console import control_maps
from tests.console.token_chunks import FILE, vectors

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).with_name("vectors")
VECTORS: list[dict[str, Any]] = json.loads((FOLDER / "inpaint_sketch.json").read_text())
STYLES: list[dict[str, Any]] = json.loads((FOLDER / "styles.json").read_text(encoding="utf-8"))
PICTURE_TEXTS: list[dict[str, Any]] = json.loads((FOLDER / "picture_texts.json").read_text(encoding="utf-8"))


def picture(vector: dict[str, Any], name: str) -> Image.Image:
    return Image.frombytes("RGBA", (vector["width"], vector["height"]), base64.b64decode(vector[name])).convert("RGB")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_inpaint_sketch_is_the_same_in_both_languages(vector: dict[str, Any]) -> None:
    sketch = derive_inpaint_sketch(
        painted=picture(vector, "painted"),
        original=picture(vector, "original"),
        mask_blur=vector["mask_blur"],
        mask_transparency=vector["mask_transparency"],
    )

    assert base64.b64encode(sketch.image.convert("RGBA").tobytes()).decode() == vector["image"]
    assert base64.b64encode(sketch.mask.tobytes()).decode() == vector["mask"]


@pytest.mark.parametrize("vector", PICTURE_TEXTS, ids=lambda vector: str(vector["name"]))
def test_the_infotext_in_a_picture_is_the_same_in_both_languages(vector: dict[str, Any]) -> None:
    with Image.open(io.BytesIO(base64.b64decode(vector["file"]))) as image:
        assert texts_in(image).get("parameters") == vector["text"]


def test_the_maps_of_every_preprocessor_are_those_that_the_container_makes() -> None:
    made = control_maps.vectors()

    previewed = {name for name, rule in PREPROCESSORS.items() if rule.previewed}
    assert {vector["module"] for vector in made["vectors"]} == previewed
    assert json.loads(control_maps.FILE.read_text()) == made


def test_the_form_says_of_every_other_preprocessor_why_it_has_no_preview() -> None:
    reasons = json.loads((ROOT / "console/src/control/unshown.json").read_text())

    assert reasons.keys() == {name for name, rule in PREPROCESSORS.items() if not rule.previewed and not rule.files}


def test_the_sliders_of_soft_inpainting_are_those_of_the_contract() -> None:
    sliders = json.loads((ROOT / "console/src/params/soft_inpainting.json").read_text())

    assert [(one["name"], one["default"], (one["minimum"], one["maximum"])) for one in sliders] == [
        (field.name, field.default, allowed)
        for field, allowed in zip(dataclasses.fields(SoftInpainting), RANGES, strict=True)
    ]


def test_the_fields_of_a_controlnet_unit_are_those_of_the_contract() -> None:
    fields = json.loads((ROOT / "console/src/params/controlnet_unit.json").read_text())
    schema = ControlNetUnit.model_json_schema()["properties"]

    assert fields == {
        name: {key: schema[name][key] for key in ("default", "minimum", "maximum") if key in schema[name]}
        for name in ("weight", "guidance_start", "guidance_end", "control_mode", "resize_mode")
    }


@pytest.mark.parametrize("vector", STYLES, ids=lambda vector: str(vector["name"]))
def test_styles_are_read_and_merged_the_same_in_both_languages(vector: dict[str, Any]) -> None:
    styles = read_styles(vector["csv"].encode())

    assert apply_styles(vector["prompt"], vector["negative_prompt"], names=vector["names"], styles=styles) == tuple(
        vector["result"]
    )


def test_a_network_fits_the_variants_of_its_family_in_the_console_too() -> None:
    variants = json.loads((ROOT / "console/src/params/family_variants.json").read_text())

    assert {
        drawn_with: made_for
        for drawn_with in Family
        for made_for in Family
        if drawn_with != made_for and fits(made_for, drawn_with)
    } == variants


def test_the_tokens_that_the_console_counts_are_the_containers() -> None:
    assert json.loads(FILE.read_text(encoding="utf-8")) == vectors()
