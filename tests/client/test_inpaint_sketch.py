"""Inpaint sketch derives what WebUI's own tab would send (semantics §3)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from generate_on_cloud.client.inpaint_sketch import derive_inpaint_sketch
from inference_container.pictures.masks import blur_mask, latent_mask

STROKE = (24, 16, 40, 48)
"""Left, top, right, bottom; the latter two exclusive."""


def original() -> Image.Image:
    return Image.effect_noise((64, 64), 60).convert("RGB")


def painted_on(image: Image.Image, color: str = "red") -> Image.Image:
    painted = image.copy()
    ImageDraw.Draw(painted).rectangle((STROKE[0], STROKE[1], STROKE[2] - 1, STROKE[3] - 1), fill=color)
    return painted


def test_every_changed_pixel_is_masked_and_no_other() -> None:
    image = original()
    painted = image.copy()
    for channel, x in enumerate((3, 30, 60)):
        color = list(image.getpixel((x, 5)))  # type: ignore[arg-type]
        color[channel] ^= 1
        painted.putpixel((x, 5), tuple(color))

    mask = np.asarray(derive_inpaint_sketch(painted=painted, original=image).mask)

    assert {(int(x), int(y)) for y, x in np.argwhere(mask == 255)} == {(3, 5), (30, 5), (60, 5)}
    assert np.count_nonzero(mask) == 3


def test_the_picture_is_the_blurred_painting_through_the_blurred_mask() -> None:
    image = original()
    painted = painted_on(image)
    blur = ImageFilter.GaussianBlur(4)

    sketch = derive_inpaint_sketch(painted=painted, original=image, mask_blur=4)

    weight = np.asarray(sketch.mask.filter(blur)).astype(float)[:, :, None] / 255
    expected = np.asarray(painted.filter(blur)) * weight + np.asarray(image) * (1 - weight)
    assert np.abs(np.asarray(sketch.image) - expected).max() <= 1
    assert set(np.unique(np.asarray(sketch.mask))) == {0, 255}


def test_without_blur_the_picture_is_the_painting() -> None:
    image = original()

    sketch = derive_inpaint_sketch(painted=painted_on(image), original=image, mask_blur=0)

    assert np.array_equal(np.asarray(sketch.image), np.asarray(painted_on(image)))


@pytest.mark.parametrize(("transparency", "value"), [(0, 255), (40, 153), (50, 127), (60, 102), (100, 0)])
def test_transparency_dims_the_mask(transparency: float, value: int) -> None:
    image = original()

    sketch = derive_inpaint_sketch(painted=painted_on(image), original=image, mask_transparency=transparency)

    assert sketch.mask.getextrema() == (0, value)


def test_at_60_percent_nothing_is_repainted_and_40_percent_of_the_strokes_show() -> None:
    grey = Image.new("RGB", (64, 64), (100, 100, 100))

    sketch = derive_inpaint_sketch(
        painted=painted_on(grey, "#ffffff"), original=grey, mask_blur=0, mask_transparency=60
    )

    assert sketch.mask.getpixel((32, 32)) == 102
    assert sketch.image.getpixel((32, 32)) == (162, 162, 162)
    assert latent_mask(blur_mask(sketch.mask, x=4, y=4), width=8, height=8).max() == 0


@pytest.mark.parametrize(("transparency", "repainted"), [(0, 1), (49, 1), (50, 0), (60, 0)])
def test_from_50_percent_on_the_latent_mask_is_empty(transparency: float, repainted: int) -> None:
    painted = Image.new("RGB", (64, 64), "red")

    mask = derive_inpaint_sketch(
        painted=painted, original=Image.new("RGB", (64, 64)), mask_transparency=transparency
    ).mask

    assert latent_mask(mask, width=8, height=8).max() == repainted


def test_nothing_painted_is_the_original_under_an_empty_mask() -> None:
    image = original()

    sketch = derive_inpaint_sketch(painted=image, original=image.copy())

    assert sketch.mask.getbbox() is None
    assert np.array_equal(np.asarray(sketch.image), np.asarray(image))


@settings(max_examples=20, deadline=None)
@given(size=st.tuples(st.integers(1, 40), st.integers(1, 40)), blur=st.integers(0, 64), transparency=st.floats(0, 100))
def test_any_size_gives_a_picture_and_a_mask_of_that_size(
    size: tuple[int, int], blur: int, transparency: float
) -> None:
    image = Image.new("RGB", size, "blue")
    painted = Image.new("RGB", size, "green")

    sketch = derive_inpaint_sketch(painted=painted, original=image, mask_blur=blur, mask_transparency=transparency)

    assert (sketch.image.mode, sketch.image.size) == ("RGB", size)
    assert (sketch.mask.mode, sketch.mask.size) == ("L", size)


@pytest.mark.parametrize(
    ("painted", "numbers", "reason"),
    [
        (Image.new("RGBA", (64, 64)), {}, "painted: received a picture of mode RGBA; allowed: RGB"),
        (Image.new("RGB", (64, 32)), {}, "painted: received the size (64, 32)"),
        (Image.new("RGB", (64, 64)), {"mask_blur": 65}, "mask_blur: received 65; allowed: 0 to 64"),
        (Image.new("RGB", (64, 64)), {"mask_transparency": 101}, "mask_transparency: received 101"),
    ],
)
def test_what_cannot_be_a_sketch_is_refused(painted: Image.Image, numbers: dict[str, int], reason: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the text is compared below
        derive_inpaint_sketch(painted=painted, original=original(), **numbers)

    assert reason in str(refused.value)
