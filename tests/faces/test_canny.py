"""Edges of `/controlnet/detect` are those that the cloud finds."""

import base64
import io
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFilter

from generate_on_cloud.faces.sdapi.canny import canny
from generate_on_cloud.faces.sdapi.control import detect
from generate_on_cloud.faces.sdapi.refusals import RefusalError
from inference_container.pictures.control_maps import make_map
from tests.faces.shelves import png

LEVELS = [(100, 200), (0, 0), (50, 20), (256, 256), (10, 30), (400, 900)]


def noise(width: int, height: int, *, blur: float = 0) -> Image.Image:
    """Every direction of slope, and without blur every size of it up to the largest."""
    pixels = np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(blur))


@pytest.mark.parametrize("levels", LEVELS, ids=str)
@pytest.mark.parametrize(("width", "height"), [(64, 96), (1, 1), (200, 3), (3, 70), (65, 127)])
@pytest.mark.parametrize("blur", [0, 1, 3])
def test_every_pixel_is_opencvs(width: int, height: int, blur: float, levels: tuple[int, int]) -> None:
    picture = noise(width, height, blur=blur)

    found = canny(picture, *levels)

    assert np.array_equal(np.asarray(found), cv2.Canny(np.asarray(picture), *levels))


def test_a_channel_counts_where_it_is_the_steepest() -> None:
    picture = Image.new("RGB", (64, 64), (90, 90, 90))
    picture.paste((90, 200, 90), (20, 0, 40, 64))
    picture.paste((90, 200, 250), (0, 40, 64, 64))

    found = np.asarray(canny(picture, 100, 200))

    assert np.array_equal(found, cv2.Canny(np.asarray(picture), 100, 200))
    assert found.any()


@pytest.mark.parametrize(
    ("asked", "low", "high"),
    [
        ({"controlnet_threshold_a": 30, "controlnet_threshold_b": 60}, 30, 60),
        ({"controlnet_threshold_a": 30.9}, 30, 200),
        ({"controlnet_threshold_a": -1, "controlnet_threshold_b": 999}, 100, 200),
        ({}, 100, 200),
    ],
)
@pytest.mark.parametrize("size", [(64, 64), (100, 70), (70, 129)])
def test_the_map_is_the_clouds_at_the_pictures_own_resolution(
    asked: dict[str, Any], low: float, high: float, size: tuple[int, int]
) -> None:
    picture, shorter = noise(*size, blur=1.2), min(size)
    body = {"controlnet_module": "canny", "controlnet_input_images": [png(picture)]}

    said = detect(body | {"controlnet_processor_res": shorter} | asked)

    with Image.open(io.BytesIO(base64.b64decode(said["images"][0]))) as image:
        made = make_map(np.asarray(picture), "canny", resolution=shorter, threshold_a=low, threshold_b=high)
        assert np.array_equal(np.asarray(image), made)
        assert made.any()


@pytest.mark.parametrize(("module", "size"), [("canny", (5, 1)), ("threshold", (20, 1)), ("blur_gaussian", (20, 1))])
def test_a_strip_that_would_take_all_memory_is_refused(module: str, size: tuple[int, int]) -> None:
    strip = png(Image.new("L", size))

    with pytest.raises(RefusalError, match=r"received a picture of \d+x2048 at this resolution; allowed: \d+ pixels"):
        detect({"controlnet_module": module, "controlnet_input_images": [strip], "controlnet_processor_res": 2048})
