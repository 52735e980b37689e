"""Inpaint sketch: turns a picture and the strokes painted on it into the init image and mask of an img2img request.

WebUI's API has no such function (semantics §3): a client with both pictures derives what WebUI's own page would send.
"""

from typing import NamedTuple

from PIL import Image, ImageChops, ImageEnhance, ImageFilter

MAX_BLUR = 64
"""Maximum of `mask_blur` in pixels, as on WebUI's slider."""


class SketchedPicture(NamedTuple):
    image: Image.Image
    """RGB, for `init_images`: the original with the blurred strokes on it."""
    mask: Image.Image
    """L, for `mask`: the painted area, dimmed by the transparency but not blurred (`mask_blur` still does that)."""


def derive_inpaint_sketch(
    *, painted: Image.Image, original: Image.Image, mask_blur: int = 4, mask_transparency: float = 0
) -> SketchedPicture:
    """What WebUI's Inpaint sketch tab sends for `painted`, made from `original`; both RGB and of the same size.

    Transparency dims the mask as well as the strokes. From 50 % on, the latent mask rounds to zero: the model repaints
    nothing and only the faded strokes show. That is WebUI's arithmetic, and we keep it.

    Args:
        painted: the picture with strokes on it; every pixel in which a channel differs counts as painted.
        original: the same picture without the strokes.
        mask_blur: radius in pixels, 0–64; send the same number as the request's `mask_blur`.
        mask_transparency: percent, 0–100.

    Raises:
        ValueError: a mode other than RGB, different sizes, or a number out of range.
    """
    for name, image in (("painted", painted), ("original", original)):
        if image.mode != "RGB":
            raise ValueError(f"{name}: received a picture of mode {image.mode}; allowed: RGB")
    if painted.size != original.size:
        raise ValueError(f"painted: received the size {painted.size}; allowed: the original's, {original.size}")
    if not 0 <= mask_blur <= MAX_BLUR:
        raise ValueError(f"mask_blur: received {mask_blur}; allowed: 0 to {MAX_BLUR}")
    if not 0 <= mask_transparency <= 100:
        raise ValueError(f"mask_transparency: received {mask_transparency}; allowed: 0 to 100")

    mask = ImageEnhance.Brightness(_changed(painted, original)).enhance(1 - mask_transparency / 100)
    blur = ImageFilter.GaussianBlur(mask_blur)
    image = Image.composite(painted.filter(blur), original, mask.filter(blur))
    return SketchedPicture(image, mask)


def _changed(painted: Image.Image, original: Image.Image) -> Image.Image:
    """L: 255 where any channel differs."""
    red, green, blue = ImageChops.difference(painted, original).split()
    largest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return largest.point([0] + [255] * 255)
