"""The five modes: picture and mask equal what the host's own function makes of the same canvases."""

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter

from generate_on_cloud.client.inpaint_sketch import derive_inpaint_sketch
from webui_extension.core.errors import PanelError
from webui_extension.core.modes import Drawn, drawn
from webui_extension.core.pictures import data_url

SIZE = (96, 64)


def photograph(mode: str = "RGB") -> Image.Image:
    ramp = np.linspace(0, 255, SIZE[0] * SIZE[1] * 4, dtype=np.uint8).reshape(SIZE[1], SIZE[0], 4)
    return Image.fromarray(ramp, "RGBA").convert(mode)


def soft_stroke(mode: str) -> Image.Image:
    image = Image.new("L", SIZE)
    ImageDraw.Draw(image).ellipse((20, 10, 60, 50), fill=255)
    soft = image.filter(ImageFilter.GaussianBlur(3))
    return Image.merge("RGBA", (soft, soft, soft, soft)) if mode == "RGBA" else soft.convert(mode)


def painted() -> Image.Image:
    image = photograph()
    ImageDraw.Draw(image).rectangle((30, 20, 50, 40), fill=(200, 30, 90))
    return image


def a1111(**canvases: Any) -> dict[str, Any]:
    names = ("init_img", "sketch", "init_img_with_mask", "inpaint_color_sketch", "inpaint_color_sketch_orig")
    named: dict[str, Any] = dict.fromkeys((*names, "init_img_inpaint", "init_mask_inpaint"))
    return {**named, "mask_blur": 4, "mask_alpha": 0, **canvases}


def forge(**canvases: Any) -> dict[str, Any]:
    names = ("init_img", "sketch", "sketch_fg", "init_img_with_mask", "init_img_with_mask_fg", "inpaint_color_sketch")
    named: dict[str, Any] = dict.fromkeys((*names, "inpaint_color_sketch_fg", "init_img_inpaint", "init_mask_inpaint"))
    return {**named, "mask_blur": 4, "mask_alpha": 0, **canvases}


def same(one: Image.Image | None, other: Image.Image | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.mode == other.mode and np.array_equal(np.asarray(one), np.asarray(other))


def over_128(mask: Image.Image) -> Image.Image:
    return mask.point(lambda value: 255 if value > 128 else 0)


def sketch_of_a1111(image: Image.Image, original: Image.Image, blur: int, alpha: float) -> Drawn:
    """The host's arithmetic, with numpy as it writes it."""
    changed = np.any(np.asarray(image) != np.asarray(original), axis=-1)
    mask = ImageEnhance.Brightness(Image.fromarray(changed.astype(np.uint8) * 255, "L")).enhance(1 - alpha / 100)
    kernel = ImageFilter.GaussianBlur(blur)
    return Drawn(Image.composite(image.filter(kernel), original, mask.filter(kernel)), mask)


def forge_strokes(size: int) -> Image.Image:
    return soft_stroke("RGBA").getchannel("A").filter(ImageFilter.MaxFilter(size))


BOTH = Image.alpha_composite(photograph("RGBA"), soft_stroke("RGBA"))
WITH_ALPHA = Image.merge("RGBA", (*photograph().split(), soft_stroke("L")))

CASES: dict[str, tuple[int, dict[str, Any], Drawn]] = {
    "A1111 img2img keeps alpha": (0, a1111(init_img=photograph("RGBA")), Drawn(photograph("RGBA"), None)),
    "A1111 sketch": (1, a1111(sketch=painted()), Drawn(painted(), None)),
    "A1111 inpaint keeps soft edges": (
        2,
        a1111(init_img_with_mask={"image": photograph("RGBA"), "mask": soft_stroke("RGB")}),
        Drawn(photograph("RGBA"), soft_stroke("RGB").convert("L")),
    ),
    "A1111 inpaint with alpha in the mask": (
        2,
        a1111(init_img_with_mask={"image": photograph("RGBA"), "mask": WITH_ALPHA}),
        Drawn(photograph("RGBA"), over_128(soft_stroke("L"))),
    ),
    "A1111 inpaint sketch": (
        3,
        a1111(inpaint_color_sketch=painted(), inpaint_color_sketch_orig=photograph()),
        sketch_of_a1111(painted(), photograph(), 4, 0),
    ),
    "A1111 inpaint sketch with transparency": (
        3,
        a1111(inpaint_color_sketch=painted(), inpaint_color_sketch_orig=photograph(), mask_blur=9, mask_alpha=40),
        sketch_of_a1111(painted(), photograph(), 9, 40),
    ),
    "A1111 inpaint upload": (
        4,
        a1111(init_img_inpaint=photograph(), init_mask_inpaint=soft_stroke("L").convert("RGBA")),
        Drawn(photograph(), soft_stroke("L").convert("RGBA")),
    ),
    "Forge img2img": (0, forge(init_img=photograph("RGBA")), Drawn(photograph("RGBA"), None)),
    "Forge sketch": (1, forge(sketch=photograph("RGBA"), sketch_fg=soft_stroke("RGBA")), Drawn(BOTH, None)),
    "Forge inpaint": (
        2,
        forge(init_img_with_mask=photograph("RGBA"), init_img_with_mask_fg=soft_stroke("RGBA")),
        Drawn(photograph("RGBA"), over_128(soft_stroke("L"))),
    ),
    "Forge inpaint sketch grows the strokes": (
        3,
        forge(inpaint_color_sketch=photograph("RGBA"), inpaint_color_sketch_fg=soft_stroke("RGBA")),
        Drawn(BOTH, over_128(forge_strokes(int(0.015 * 64) * 2 + 1))),
    ),
    "Forge inpaint upload": (
        4,
        forge(init_img_inpaint=photograph(), init_mask_inpaint=soft_stroke("L").convert("RGB")),
        Drawn(photograph(), over_128(soft_stroke("L").convert("RGB"))),
    ),
}


@pytest.mark.parametrize(("mode", "named", "expected"), CASES.values(), ids=CASES)
def test_each_mode_makes_the_picture_and_mask_of_the_host(mode: int, named: dict[str, Any], expected: Drawn) -> None:
    made = drawn(mode, named)

    assert same(made.image, expected.image)
    assert same(made.mask, expected.mask)


def test_inpaint_sketch_is_the_same_as_in_the_python_client() -> None:
    made = drawn(3, a1111(inpaint_color_sketch=painted(), inpaint_color_sketch_orig=photograph(), mask_alpha=25))
    client = derive_inpaint_sketch(painted=painted(), original=photograph(), mask_blur=4, mask_transparency=25)

    assert same(made.image, client.image)
    assert same(made.mask, client.mask)


@pytest.mark.parametrize("canvases", [a1111, forge], ids=["A1111", "Forge"])
@pytest.mark.parametrize("mode", range(5))
def test_a_canvas_without_a_picture_is_refused(canvases: Callable[..., dict[str, Any]], mode: int) -> None:
    with pytest.raises(PanelError, match=r"no picture|[Nn]othing is painted"):
        drawn(mode, canvases())


NOTHING_PAINTED: dict[str, tuple[int, dict[str, Any]]] = {
    "A1111 inpaint": (2, a1111(init_img_with_mask={"image": photograph(), "mask": Image.new("RGB", SIZE)})),
    "A1111 inpaint sketch": (3, a1111(inpaint_color_sketch=photograph(), inpaint_color_sketch_orig=photograph())),
    "A1111 inpaint upload": (
        4, a1111(init_img_inpaint=photograph(), init_mask_inpaint=Image.new("RGBA", SIZE, (0, 0, 0, 255)))
    ),
    "Forge inpaint": (
        2, forge(init_img_with_mask=photograph(), init_img_with_mask_fg=Image.new("RGBA", SIZE))
    ),
    "Forge inpaint without a foreground": (2, forge(init_img_with_mask=photograph())),
    "Forge inpaint sketch": (3, forge(inpaint_color_sketch=photograph("RGBA"))),
}  # fmt: skip


@pytest.mark.parametrize(("mode", "named"), NOTHING_PAINTED.values(), ids=NOTHING_PAINTED)
def test_an_empty_mask_is_refused(mode: int, named: dict[str, Any]) -> None:
    with pytest.raises(PanelError, match="Nothing is painted"):
        drawn(mode, named)


def test_batch_is_refused() -> None:
    with pytest.raises(PanelError, match="Batch"):
        drawn(5, a1111())


def decoded(url: str) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    image.load()
    return image


def jpeg_with_exif() -> Image.Image:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "where I live"
    buffer = io.BytesIO()
    photograph().save(buffer, "JPEG", exif=exif)
    return Image.open(buffer)


def png_with_text() -> Image.Image:
    image = photograph("RGBA")
    image.info = {"parameters": "a secret prompt", "icc_profile": b"profile"}
    return image


@pytest.mark.parametrize("make", [jpeg_with_exif, png_with_text])
def test_pictures_leave_without_metadata(make: Callable[[], Image.Image]) -> None:
    sent = decoded(data_url(make()))

    assert sent.info == {}
    assert not sent.getexif()


def test_a_turned_jpeg_arrives_upright() -> None:
    assert decoded(data_url(jpeg_with_exif())).size == (SIZE[1], SIZE[0])


@pytest.mark.parametrize(("mode", "sent"), [("P", "RGBA"), ("CMYK", "RGB"), ("L", "L"), ("RGBA", "RGBA")])
def test_every_picture_leaves_as_a_png_that_the_service_reads(mode: str, sent: str) -> None:
    assert decoded(data_url(photograph("RGB").convert(mode))).mode == sent


def test_differing_pictures_of_the_same_size_differ() -> None:
    """The comparison used above can fail."""
    assert not same(photograph(), ImageChops.invert(photograph()))
