"""Masked content "fill": the colours around the mask bleed into it (semantics §2.5)."""

from PIL import Image, ImageFilter, ImageOps

LAYERS = ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1))
"""(blur radius in pixels, how often this layer is composited over the ones before)."""


def fill_masked(image: Image.Image, mask: Image.Image) -> Image.Image:
    """RGB `image` with the pixels under `mask` (L, same size, 255 = repaint) replaced by blurred surroundings."""
    kept = keep_unmasked(image, mask)
    filled = Image.new("RGBA", image.size)
    for radius, repeats in LAYERS:
        layer = kept.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(repeats):
            filled.alpha_composite(layer)
    return filled.convert("RGB")


def keep_unmasked(image: Image.Image, mask: Image.Image) -> Image.Image:
    """A premultiplied copy (mode RGBa) of `image` that is transparent where `mask` is 255."""
    kept = Image.new("RGBa", image.size)
    kept.paste(image.convert("RGBA").convert("RGBa"), mask=ImageOps.invert(mask))
    return kept
