"""Putting the untouched part of the user's picture back over the result (semantics §2.3, §2.4, §2.12)."""

from PIL import Image

from inference_container.pictures.crop_region import Box
from inference_container.pictures.filling import keep_unmasked
from inference_container.pictures.resizing import resize
from inference_container.pictures.upscaling import Upscaler


def make_overlay(image: Image.Image, mask: Image.Image) -> Image.Image:
    """RGBA: `image` with alpha 255 − `mask`; pixels where the mask is 0 are exactly the image's.

    Only masked: the full-size init picture and the blurred mask. Whole picture: the resized picture and the doubled
    mask (`masks.double_mask`).
    """
    return keep_unmasked(image, mask).convert("RGBA")


def paste_back(
    result: Image.Image, overlay: Image.Image, *, region: Box | None = None, upscaler: Upscaler | None = None
) -> Image.Image:
    """RGB at the overlay's size: `result`, put at `region` when one was cut out, under `overlay`.

    Raises:
        ValueError: without a region the sizes differ.
    """
    if region is None and result.size != overlay.size:
        raise ValueError(f"received a result of size {result.size}; allowed: the overlay's, {overlay.size}")
    below = put_at(result, size=overlay.size, region=region, upscaler=upscaler).convert("RGBA")
    below.alpha_composite(overlay)
    return below.convert("RGB")


def put_at(
    result: Image.Image, *, size: tuple[int, int], region: Box | None, upscaler: Upscaler | None = None
) -> Image.Image:
    """`result` at its `region` of an RGBA picture of `size` that is transparent elsewhere; itself without a region."""
    if region is None:
        return result
    canvas = Image.new("RGBA", size)
    fitted = resize(result, mode=1, width=region.width, height=region.height, upscaler=upscaler)
    canvas.paste(fitted, (region.left, region.top))
    return canvas


def cut_out(result: Image.Image, mask: Image.Image) -> Image.Image:
    """RGBA: of `result` what is under `mask` (L, any size), the rest transparent (WebUI's "mask composite")."""
    fitted = resize(mask, mode=2, width=result.width, height=result.height)
    nothing = Image.new("RGBa", result.size)
    return Image.composite(result.convert("RGBA").convert("RGBa"), nothing, fitted).convert("RGBA")
