"""Inpaint sketch: from a picture and what was painted on it to the init image and mask of an img2img request.

WebUI's API does none of this (semantics §3): a client that holds both pictures derives what its own UI would send.
"""

from typing import NamedTuple

from PIL import Image, ImageChops, ImageEnhance, ImageFilter

MAX_BLUR = 64
"""Pixels; the range of WebUI's slider."""


class SketchedPicture(NamedTuple):
    image: Image.Image
    """RGB, for `init_images`: the original with the softened strokes on it."""
    mask: Image.Image
    """L, for `mask`: what was painted over, dimmed by the transparency, not blurred (`mask_blur` still does that)."""


def derive_inpaint_sketch(
    *, painted: Image.Image, original: Image.Image, mask_blur: int = 4, mask_transparency: float = 0
) -> SketchedPicture:
    """What WebUI's Inpaint sketch tab sends for `painted`, made from `original`; both RGB and of one size.

    A transparency dims the mask as well as the strokes. From 50 % on the latent mask rounds to nothing: the model
    repaints nothing and the faded strokes alone show. That is WebUI's arithmetic and is kept.

    Args:
        painted: the picture with strokes on it; every pixel in which a channel differs counts as painted.
        original: the same picture before.
        mask_blur: radius in pixels, 0–64; send the same number as the request's `mask_blur`.
        mask_transparency: percent, 0–100.

    Raises:
        ValueError: other modes, sizes that differ, or a number out of range.
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
    """L, 255 where any channel differs."""
    red, green, blue = ImageChops.difference(painted, original).split()
    largest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return largest.point([0] + [255] * 255)
