"""Composites the untouched part of the user's picture over the result (semantics §2.3, §2.4, §2.12)."""

from PIL import Image

from inference_container.pictures.crop_region import Box
from inference_container.pictures.filling import keep_unmasked
from inference_container.pictures.resizing import resize
from inference_container.pictures.upscaling import Upscaler


def make_overlay(image: Image.Image, mask: Image.Image) -> Image.Image:
    """RGBA: `image` with alpha 255 − `mask`; where the mask is 0, the pixels are exactly those of the image.

    For "only masked", pass the full-size init picture and the blurred mask; for the whole picture, the resized picture
    and the doubled mask (`masks.double_mask`).
    """
    return keep_unmasked(image, mask).convert("RGBA")


def paste_back(
    result: Image.Image, overlay: Image.Image, *, region: Box | None = None, upscaler: Upscaler | None = None
) -> Image.Image:
    """RGB at the overlay's size: `result` under `overlay`, placed at `region` if one was cropped.

    Raises:
        ValueError: there is no region and the result does not cover the overlay.
    """
    if region is None and (result.width < overlay.width or result.height < overlay.height):
        raise ValueError(f"received a result of size {result.size}; allowed: at least the overlay's, {overlay.size}")
    below = put_at(result, size=overlay.size, region=region, upscaler=upscaler).convert("RGBA")
    below.alpha_composite(overlay)
    return below.convert("RGB")


def put_at(
    result: Image.Image, *, size: tuple[int, int], region: Box | None, upscaler: Upscaler | None = None
) -> Image.Image:
    """`result` at `region` of an otherwise transparent RGBA picture of `size`; without a region, cut to `size`."""
    if region is None:
        return result if result.size == size else result.crop((0, 0, *size))
    canvas = Image.new("RGBA", size)
    fitted = resize(result, mode=1, width=region.width, height=region.height, upscaler=upscaler)
    canvas.paste(fitted, (region.left, region.top))
    return canvas


def cut_out(result: Image.Image, mask: Image.Image) -> Image.Image:
    """RGBA: the part of `result` under `mask` (L, any size), transparent elsewhere (WebUI's "mask composite")."""
    fitted = resize(mask, mode=2, width=result.width, height=result.height)
    nothing = Image.new("RGBa", result.size)
    return Image.composite(result.convert("RGBA").convert("RGBa"), nothing, fitted).convert("RGBA")
