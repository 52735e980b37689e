"""Resize modes and the crop region: WebUI's integers (semantics §2.2, §2.3)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inference_container.pictures.crop_region import Box, crop_region, masked_box, widen
from inference_container.pictures.masks import blur_mask
from inference_container.pictures.resizing import Placement, ResizeMode, place, resize

SIDES = st.integers(1, 3000)
MODES: st.SearchStrategy[ResizeMode] = st.sampled_from((0, 1, 2, 3))


def rectangle(left: int, top: int, right: int, bottom: int, *, blur: int) -> Image.Image:
    mask = Image.new("L", (1024, 768))
    mask.paste(255, (left, top, right, bottom))
    return blur_mask(mask, x=blur, y=blur)


@pytest.mark.parametrize(
    ("size", "mode", "expected"),
    [
        ((300, 200), 1, Placement(768, 512, -128, 0)),
        ((300, 200), 2, Placement(512, 341, 0, 86)),
        ((300, 200), 3, Placement(512, 341, 0, 86)),
        ((1023, 767), 1, Placement(682, 512, -85, 0)),
        ((1023, 767), 2, Placement(512, 383, 0, 65)),
        ((300, 200), 0, Placement(512, 512, 0, 0)),
    ],
)
def test_pictures_are_placed_by_webuis_integers(size: tuple[int, int], mode: ResizeMode, expected: Placement) -> None:
    assert place(size, mode=mode, width=512, height=512) == expected


@settings(max_examples=300, deadline=None)
@given(width=SIDES, height=SIDES, mode=MODES, own=st.tuples(SIDES, SIDES))
def test_crop_covers_the_canvas_and_fill_stays_inside(
    width: int, height: int, mode: ResizeMode, own: tuple[int, int]
) -> None:
    spot = place(own, mode=mode, width=width, height=height)

    assert min(spot.width, spot.height) >= 1
    assert spot.width == width or spot.height == height
    if mode == 1:
        assert spot.left <= 0
        assert spot.top <= 0
    else:
        assert spot.width <= width
        assert spot.height <= height


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    mode=MODES,
    own=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    colour=st.sampled_from(["L", "RGB"]),
)
def test_a_resized_picture_has_the_size_asked_for_and_one_colour_stays_one_colour(
    width: int, height: int, mode: ResizeMode, own: tuple[int, int], colour: str
) -> None:
    image = Image.new(colour, own, 200 if colour == "L" else (200, 200, 200))

    resized = resize(image, mode=mode, width=width, height=height)

    assert (resized.mode, resized.size) == (colour, (width, height))
    if width % 2 == 0 and height % 2 == 0:  # odd canvases lose their last line to WebUI's halving
        assert set(resized.tobytes()) == {200}


def test_filling_stretches_the_outermost_lines_over_the_gaps() -> None:
    image = Image.new("RGB", (64, 32), (10, 20, 30))
    image.paste((200, 0, 0), (0, 0, 64, 8))
    image.paste((0, 0, 200), (0, 24, 64, 32))

    resized = np.asarray(resize(image, mode=2, width=64, height=64))

    assert (resized[:16] == (200, 0, 0)).all()
    assert (resized[48:] == (0, 0, 200)).all()
    assert (resized[16:48] == np.asarray(image)).all()


def test_filling_a_tall_picture_stretches_its_sides() -> None:
    image = Image.new("L", (32, 64), 90)
    image.paste(10, (0, 0, 8, 64))
    image.paste(250, (24, 0, 32, 64))

    resized = np.asarray(resize(image, mode=3, width=64, height=64))

    assert (resized[:, :16] == 10).all()
    assert (resized[:, 48:] == 250).all()
    assert (resized[:, 16:48] == np.asarray(image)).all()


def test_cropping_keeps_the_middle() -> None:
    image = Image.new("L", (96, 32))
    image.paste(255, (32, 0, 64, 32))

    assert set(resize(image, mode=1, width=32, height=32).tobytes()) == {255}


@pytest.mark.parametrize(
    ("mask", "padding", "target", "box", "region"),
    [
        (rectangle(100, 300, 200, 340, blur=0), 32, (512, 512), (68, 268, 232, 372), (68, 238, 232, 402)),
        (rectangle(100, 300, 200, 340, blur=4), 32, (512, 512), (58, 258, 242, 382), (58, 228, 242, 412)),
        (rectangle(100, 300, 200, 340, blur=4), 0, (512, 512), (90, 290, 210, 350), (90, 260, 210, 380)),
        (rectangle(0, 0, 50, 300, blur=4), 32, (768, 512), (0, 0, 92, 342), (0, 0, 513, 342)),
        (rectangle(900, 700, 1024, 768, blur=4), 32, (512, 768), (858, 658, 1024, 768), (858, 519, 1024, 768)),
    ],
    ids=["no blur", "blurred", "no padding", "at the top left corner", "at the bottom right corner"],
)
def test_the_crop_region_is_webuis(
    mask: Image.Image,
    padding: int,
    target: tuple[int, int],
    box: tuple[int, int, int, int],
    region: tuple[int, int, int, int],
) -> None:
    assert masked_box(mask, padding=padding) == box
    assert crop_region(mask, padding=padding, width=target[0], height=target[1]) == region


def test_an_empty_mask_has_no_crop_region() -> None:
    assert crop_region(Image.new("L", (64, 64)), padding=32, width=512, height=512) is None


@settings(max_examples=300, deadline=None)
@given(data=st.data(), size=st.tuples(SIDES, SIDES), target=st.tuples(st.integers(64, 2048), st.integers(64, 2048)))
def test_a_widened_box_holds_the_box_and_stays_in_the_picture(
    data: st.DataObject, size: tuple[int, int], target: tuple[int, int]
) -> None:
    left = data.draw(st.integers(0, size[0] - 1))
    top = data.draw(st.integers(0, size[1] - 1))
    box = Box(left, top, data.draw(st.integers(left + 1, size[0])), data.draw(st.integers(top + 1, size[1])))

    wide = widen(box, size, width=target[0], height=target[1])

    assert 0 <= wide.left <= box.left
    assert 0 <= wide.top <= box.top
    assert box.right <= wide.right <= size[0]
    assert box.bottom <= wide.bottom <= size[1]
    assert (wide.width, wide.height) in {(box.width, wide.height), (wide.width, box.height)}
