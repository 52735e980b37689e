"""The picture and the mask of img2img's five modes, made from the canvases as the host's own function makes them.

One function per kind of canvas: that of AUTOMATIC1111 and reForge, and that of Forge. Tests compare both with the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from PIL import Image, ImageChops, ImageEnhance, ImageFilter

from webui_extension.core.errors import PanelError
from webui_extension.core.texts import say

IMG2IMG, SKETCH, INPAINT, INPAINT_SKETCH, INPAINT_UPLOAD, BATCH = range(6)
THRESHOLD = 128
"""A mask's pixel counts as painted above this."""


class Drawn(NamedTuple):
    image: Image.Image
    mask: Image.Image | None


def has_forge_canvases(named: Mapping[str, Any]) -> bool:
    """Forge hands the strokes over as pictures of their own."""
    return "init_img_with_mask_fg" in named


def drawn(mode: int, named: Mapping[str, Any]) -> Drawn:
    """Picture and mask of a mode; `named` has the canvases by the host's parameter names.

    Raises:
        PanelError: there is no picture, nothing is painted, or the mode is Batch.
    """
    if mode == BATCH:
        raise PanelError(say("no_batch"))
    if mode not in range(BATCH):
        raise PanelError(say("unknown_mode", mode=mode))
    picture = (_of_forge if has_forge_canvases(named) else _of_a1111)(mode, named)
    if picture.mask is not None and picture.mask.convert("RGB").getextrema() == ((0, 0),) * 3:
        raise PanelError(say("nothing_painted"))
    return picture


def _of_a1111(mode: int, named: Mapping[str, Any]) -> Drawn:
    if mode == IMG2IMG:
        return Drawn(_given(named["init_img"]), None)
    if mode == SKETCH:
        return Drawn(_given(named["sketch"]), None)
    if mode == INPAINT:
        canvas = named["init_img_with_mask"] or {}
        return Drawn(_given(canvas.get("image")), _binary(_mask_given(canvas.get("mask"))))
    if mode == INPAINT_SKETCH:
        painted = _given(named["inpaint_color_sketch"])
        return _sketched(painted, named["inpaint_color_sketch_orig"] or painted, named)
    return Drawn(_given(named["init_img_inpaint"]), _mask_given(named["init_mask_inpaint"]))


def _of_forge(mode: int, named: Mapping[str, Any]) -> Drawn:
    if mode == IMG2IMG:
        return Drawn(_given(named["init_img"]), None)
    if mode == SKETCH:
        return Drawn(_composite(_given(named["sketch"]), named["sketch_fg"]), None)
    if mode == INPAINT:
        image = _given(named["init_img_with_mask"])
        return Drawn(image, _over_threshold(_alpha(named["init_img_with_mask_fg"], image)))
    if mode == INPAINT_SKETCH:
        image, strokes = _given(named["inpaint_color_sketch"]), named["inpaint_color_sketch_fg"]
        alpha = _alpha(strokes, image)
        grown = alpha.filter(ImageFilter.MaxFilter(int(0.015 * min(alpha.size)) * 2 + 1))
        return Drawn(_composite(image, strokes), _over_threshold(grown))
    return Drawn(_given(named["init_img_inpaint"]), _over_threshold(_mask_given(named["init_mask_inpaint"])))


def _sketched(painted: Image.Image, original: Image.Image, named: Mapping[str, Any]) -> Drawn:
    """Inpaint sketch: strokes blurred into the original; the mask is dimmed by the transparency and not blurred yet."""
    painted, original = painted.convert("RGB"), original.convert("RGB")
    if painted.size != original.size:
        original = painted
    changed = ImageChops.difference(painted, original)
    red, green, blue = changed.split()
    largest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    painted_area = largest.point([0] + [255] * 255)
    if painted_area.getextrema() == (0, 0):
        raise PanelError(say("nothing_painted"))
    mask = ImageEnhance.Brightness(painted_area).enhance(1 - float(named["mask_alpha"]) / 100)
    blur = ImageFilter.GaussianBlur(int(named["mask_blur"]))
    return Drawn(Image.composite(painted.filter(blur), original, mask.filter(blur)), mask)


def _binary(mask: Image.Image) -> Image.Image:
    """WebUI's `create_binary_mask`: the alpha channel if it says anything, else the brightness with its soft edges."""
    if mask.mode == "RGBA" and mask.getextrema()[-1] != (255, 255):
        return _over_threshold(mask.getchannel("A"))
    return mask.convert("L")


def _over_threshold(mask: Image.Image) -> Image.Image:
    return mask.point(([0] * (THRESHOLD + 1) + [255] * (255 - THRESHOLD)) * len(mask.getbands()))


def _alpha(strokes: Image.Image | None, image: Image.Image) -> Image.Image:
    return Image.new("L", image.size) if strokes is None else strokes.convert("RGBA").getchannel("A")


def _composite(image: Image.Image, strokes: Image.Image | None) -> Image.Image:
    image = image.convert("RGBA")
    return image if strokes is None else Image.alpha_composite(image, strokes.convert("RGBA"))


def _given(image: Image.Image | None) -> Image.Image:
    if image is None:
        raise PanelError(say("no_picture"))
    return image


def _mask_given(mask: Image.Image | None) -> Image.Image:
    if mask is None:
        raise PanelError(say("nothing_painted"))
    return mask
